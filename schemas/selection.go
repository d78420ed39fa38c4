package schemas

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// SelectionDoubtful is the kind of the labels that the losses of a run argue with.
const SelectionDoubtful = "doubtful"

// Selection is a set of picked samples with weights and reasons. Above 4 MiB the picks move to the blob store and Blob names them.
type Selection struct {
	ID             string    `json:"id"` // as SelectionID makes it: one set of picks
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
	// Since is when the decision about it came into force; zero: it comes of no decision. A later one is another request to people.
	Since time.Time `json:"since,omitzero"`
}

// SelectionID names picks: dataset, kind and what else tells the question, such as the run, then a digest of the picks in their order.
// So the same answer to the same question has the same id, and no other has it.
func SelectionID(picks []Pick, question ...string) string {
	digest := sha256.New()
	for _, p := range picks {
		fmt.Fprintf(digest, "%s %q %x %x %q %d\n", p.SampleID, p.ObjectID, p.Score, p.Weight, p.Reason, p.Since.UnixMicro())
	}
	return strings.Join(append(question, hex.EncodeToString(digest.Sum(nil)[:8])), "/")
}

// Key is the key of the selection's record on its topic, which is compacted. What is picked, removed or oversampled is a state, of which
// the latest counts: dataset/kind. What people are to look at are requests, each of which is to be read: its id. Route takes a request
// back, by a record of its key without a value, when the tasks that it asks for are on the desk's log.
func (s *Selection) Key() string {
	if s.Kind == SelectionDoubtful || s.Kind == string(ActionReview) {
		return s.ID
	}
	return s.Dataset + "/" + s.Kind
}
