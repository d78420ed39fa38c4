package schemas

import "time"

// Topic is the name of a Kafka topic.
type Topic string

// The topics. Each is described by the TopicSpec of its name.
const (
	Raw        Topic = "gleaner.raw.v1"
	Samples    Topic = "gleaner.samples.v1"
	Rejects    Topic = "gleaner.rejected.v1"
	Prelabeled Topic = "gleaner.prelabeled.v1"
	Segmented  Topic = "gleaner.segmented.v1"
	Linted     Topic = "gleaner.linted.v1"
	Submitted  Topic = "gleaner.submitted.v1"
	Labels     Topic = "gleaner.labels.v1"
	Desk       Topic = "gleaner.desk.v1"
	LossRows   Topic = "gleaner.losses.v1"
	Embedded   Topic = "gleaner.embeddings.v1"
	Selections Topic = "gleaner.selections.v1"
	Triggers   Topic = "gleaner.triggers.v1"
	Curated    Topic = "gleaner.curated.v1"
	Distilled  Topic = "gleaner.distilled.v1"
	Models     Topic = "gleaner.models.v1"
	Datasets   Topic = "gleaner.datasets.v1"
	Taxonomies Topic = "gleaner.taxonomies.v1"
	Dead       Topic = "gleaner.dead.v1"
)

// Cleanup is a topic's cleanup.policy.
type Cleanup string

// The cleanup policies in use.
const (
	Delete  Cleanup = "delete"
	Compact Cleanup = "compact"
)

// Forever as a retention keeps records without end.
const Forever = time.Duration(-1)

// TopicSpec holds the settings of a topic; they are part of the schema. Keys are partitioned with murmur2 as the Java
// client does, so the partition count of a keyed topic is fixed for the life of its version.
type TopicSpec struct {
	Name            Topic
	Key             string // what the record key is, for people
	Value           string // what the record value is, for people
	Partitions      int
	Retention       time.Duration // Forever, or how long records are kept
	Cleanup         Cleanup
	MaxMessageBytes int
}

const (
	mib  = 1 << 20
	day  = 24 * time.Hour
	week = 7 * day
)

// TopicSpecs lists every topic in the order of the flow.
func TopicSpecs() []TopicSpec {
	return []TopicSpec{
		{Raw, "unique id, or none", "image bytes as they are", 8, 3 * day, Delete, 32 * mib},
		{Samples, "sample id", "Sample (Arrow)", 8, 3 * day, Delete, 4 * mib},
		{Rejects, "sample id", "Rejected (Arrow)", 8, 4 * week, Delete, 4 * mib},
		{Prelabeled, "sample id", "Sample (Arrow)", 8, 3 * day, Delete, 4 * mib},
		{Segmented, "sample id", "Sample (Arrow)", 8, 3 * day, Delete, 4 * mib},
		{Linted, "sample id", "Sample (Arrow)", 8, 3 * day, Delete, 4 * mib},
		{Submitted, "sample id", "Sample (Arrow)", 8, week, Delete, 4 * mib},
		{Labels, "sample id", "Label (Arrow)", 8, Forever, Delete, 4 * mib},
		{Desk, "queue shard", "Command (JSON)", 1, Forever, Delete, 4 * mib},
		{LossRows, "run id", "Losses (Arrow), or Run (JSON) with event=run-finished", 8, 4 * week, Delete, 4 * mib},
		{Embedded, "sample id", "Embeddings (Arrow)", 8, 4 * week, Delete, 4 * mib},
		{Selections, "dataset/kind, or the id of what people are to look at, until it is asked of them", "Selection (JSON)", 1, Forever, Compact, 5 * mib},
		{Triggers, "dataset", "Trigger (JSON)", 1, 4 * week, Delete, mib},
		{Curated, "dataset/shard", "Manifest (Arrow)", 8, 3 * day, Delete, 4 * mib},
		{Distilled, "dataset/class/version", "Distillate (Arrow)", 1, Forever, Compact, 32 * mib},
		{Models, "name@version, serving/dataset, or removed/name@version", "Model, Serving, or ModelRemoval (canonical JSON)", 1, Forever, Compact, mib},
		{Datasets, "dataset@version, or rules/dataset@version", "DatasetVersion, or DatasetRules with kind=rules (canonical JSON)", 1, Forever, Compact, mib},
		{Taxonomies, "name@version", "Taxonomy (canonical JSON)", 1, Forever, Compact, 4 * mib},
		{Dead, "as it was", "the bytes as they were", 8, 4 * week, Delete, 33 * mib},
	}
}

// Spec returns the settings of a topic, and whether it is one of ours.
func (t Topic) Spec() (TopicSpec, bool) {
	for _, s := range TopicSpecs() {
		if s.Name == t {
			return s, true
		}
	}
	return TopicSpec{}, false
}
