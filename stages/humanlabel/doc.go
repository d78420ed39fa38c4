// Package humanlabel is the desk: people's work as a replicated log.
//
// Work for people can wait for days, so no offset is held while a person thinks. The desk is a state machine over the desk
// topic instead: whoever wants something appends a command, every instance folds the log in order with the same pure
// function Apply, and the fold decides what took effect. There is no leader and no lock: two claims of one task are two
// commands and the log's order decides between them.
//
//   - State and Apply are the fold. It reads no clock and no store: time is the largest command time seen so far.
//   - Desk serves one instance: it follows the log, appends commands, and answers once it has folded its own.
//   - Publisher is the step that turns effective submissions into samples.
//
// # Rules of fold version 1
//
// A command id takes effect once. Ids are remembered for a day of fold time, at most a million of them; a command that was
// made before the youngest forgotten one took effect is refused as expired, since nobody can tell any more whether it was
// applied. So a copy of a command never applies twice, and memory is bounded.
//
// The first genesis wins. Before it only the commands of other steps (create, erase) and ticks take effect, because those
// steps do not wait for a desk.
//
// A claim bumps the version of its task, and so do a draft, a submission, a reopening and a cancellation. An editor names the
// version that it saw; when that is no longer current its save is stale, and the answer carries the newer task and the refused work.
package humanlabel
