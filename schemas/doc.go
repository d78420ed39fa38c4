// Package schemas holds Gleaner's contracts: every topic, record, message and table that two parts of the system agree on.
//
// It is pure: no I/O, and it imports nothing else of ours, so that every room may import it. One type lives in one file.
//
// # Compatibility
//
// Topics carry their version in their name (gleaner.samples.v1). Within a version only additions are allowed: a new column
// with a documented default, a new header, a new JSON field that readers may ignore. Arrow messages are decoded by column
// name: unknown columns are ignored and missing ones take their documented default, so old readers read new writers and
// new readers read old writers. A change that is not an addition (a column's type or meaning, a key, a partition count)
// is a new version of the topic: both are written until the retention of the old one has passed with no reader left in
// its consumer groups, then the old one is deleted. Golden bytes of every version ever released stay in testdata and
// must decode for as long as their topic exists.
//
// # Registries
//
// The compacted topics models, datasets and taxonomies hold canonical JSON that is kept forever. Entries are keyed name@version
// and immutable: of several records under one key all say the same, and what changes has a key of its own. On models these are
// what serves a dataset ("serving/dataset", a Serving) and which models are not to be used any more ("removed/name@version", a
// ModelRemoval); there the last record of a key counts.
//
// On datasets the kind field tells entries apart: none for a DatasetVersion, KindRules for DatasetRules, whose keys are
// "rules/dataset@version"; readers pass over kinds that they do not know. The rules appended last are in force, so going back to
// earlier ones appends their entry again, with the time at which.
package schemas
