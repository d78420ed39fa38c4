package schemas

import (
	"time"

	"gleaner/schemas/geometry"
)

// Correction is how one proposal of a model fared with a person, of those that the dataset's rules let in, or one label that none
// of these found. The corrections of a sample are those of its latest submission, all of them written by one insert: a later
// Revision replaces them as a whole. A submission with neither proposals nor labels has one that speaks of none.
type Correction struct {
	SampleID   SampleID          `json:"sample_id"`
	Dataset    string            `json:"dataset"`
	Revision   uint64            `json:"revision"`              // of the submission
	ProposalID string            `json:"proposal_id,omitempty"` // empty: the label was missed by every model
	ObjectID   string            `json:"object_id,omitempty"`   // of the label; empty: the proposal was rejected
	Source     string            `json:"source,omitempty"`      // the proposal's model, name@version; empty when missed
	Models     []string          `json:"models,omitempty"`      // all that looked at the sample, ordered: one without rows found nothing
	Class      string            `json:"class"`                 // of the proposal; of the label when missed
	Canonical  string            `json:"canonical"`             // Class by the taxonomy's name; Class itself where it has none
	Labeled    string            `json:"labeled,omitempty"`     // class of the label, which may be narrower or broader than Class
	Score      float32           `json:"score,omitempty"`       // of the proposal, the model's own, [0,1]
	Accepted   bool              `json:"accepted"`              // a label stands where the proposal was
	Proposal   geometry.Box      `json:"proposal,omitzero"`     // the model's own box, before any convention moved it
	Label      geometry.Box      `json:"label,omitzero"`        // empty when rejected
	W          int               `json:"w"`                     // of the image, upright, pixels
	H          int               `json:"h"`
	Slices     map[string]string `json:"slices,omitempty"`
	Actor      string            `json:"actor"`
	At         time.Time         `json:"at"` // of the submission
}
