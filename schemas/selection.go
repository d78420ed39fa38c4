package schemas

import "time"

// Selection is a set of picked samples with weights and reasons. On its topic it is keyed by dataset/kind; above 4 MiB the
// picks move to the blob store and Blob names them.
type Selection struct {
	ID             string    `json:"id"` // dataset/kind/run or query hash: the same inputs give the same id
	Dataset        string    `json:"dataset"`
	DatasetVersion string    `json:"dataset_version,omitempty"`
	Kind           string    `json:"kind"` // "doubtful", "coreset", "edge", …
	Method         string    `json:"method"`
	RunID          string    `json:"run_id,omitempty"`
	Seed           int64     `json:"seed"`
	At             time.Time `json:"at"`
	AsOf           time.Time `json:"as_of,omitzero"` // it speaks of the labels as they stood then; zero: at At
	Picks          []Pick    `json:"picks,omitempty"`
	Blob           *BlobRef  `json:"blob,omitempty"`
}

// Pick is one picked sample, or one object of it.
type Pick struct {
	SampleID SampleID `json:"sample_id"`
	ObjectID string   `json:"object_id,omitempty"`
	Score    float64  `json:"score"`  // in the method's unit, higher is picked first
	Weight   float64  `json:"weight"` // 1 unless the method weighs
	Reason   string   `json:"reason"` // one sentence for people
}
