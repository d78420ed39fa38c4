package schemas

import "gleaner/schemas/geometry"

// FindingType is what lint doubts about a label.
type FindingType string

// The types of finding of this version.
const (
	FindingMissing    FindingType = "missing"    // an object that no label covers
	FindingSpurious   FindingType = "spurious"   // a label of nothing
	FindingLoose      FindingType = "loose"      // a box that is too large for its object
	FindingTight      FindingType = "tight"      // a box that cuts its object
	FindingShift      FindingType = "shift"      // a box beside its object
	FindingEdge       FindingType = "edge"       // a box of which one edge is wrong
	FindingSwap       FindingType = "swap"       // a label of another class than its object's
	FindingDuplicate  FindingType = "duplicate"  // two labels on one object
	FindingDegenerate FindingType = "degenerate" // a box that cannot be right: empty, out of frame
	FindingTwin       FindingType = "twin"       // near-duplicate images are labeled differently
	FindingLoss       FindingType = "loss"       // a trainer's losses doubt the label
	FindingRule       FindingType = "rule"       // a label that breaks a rule of its dataset
)

// FindingTypes are all of them.
var FindingTypes = []FindingType{
	FindingMissing, FindingSpurious, FindingLoose, FindingTight, FindingShift, FindingEdge, FindingSwap, FindingDuplicate, FindingDegenerate,
	FindingTwin, FindingLoss, FindingRule,
}

// Finding is one doubt about one label, or about one that is missing.
type Finding struct {
	Type     FindingType   `json:"type"`
	ObjectID string        `json:"object_id,omitempty"` // empty for missing, for what twins alone have, and for a rule about the image
	Class    string        `json:"class,omitempty"`     // the class that is missing, or of the doubted label
	Box      geometry.Box  `json:"box"`                 // where to look
	Score    float32       `json:"score"`               // [0,1], the chance that a reviewer would change the label
	Prior    float32       `json:"prior,omitempty"`     // [0,1], Score before what reviewers of the dataset have taught; 0: nothing was learned
	Why      string        `json:"why"`                 // one sentence for people
	Fix      *geometry.Box `json:"fix,omitempty"`       // a suggested box, where there is one
	FixClass string        `json:"fix_class,omitempty"` // a suggested class, where there is one
}

// Certain tells whether the finding is no estimate: a rule of severity error is broken. The API refuses a submission that breaks it,
// whatever it overrides.
func (f Finding) Certain() bool { return f.Type == FindingRule && f.Score >= 1 }

// Removes tells whether what the finding suggests is to delete its label.
func (f Finding) Removes() bool {
	switch f.Type {
	case FindingSpurious, FindingDuplicate:
		return true
	case FindingTwin:
		return f.ObjectID != "" && f.Fix == nil && f.FixClass == ""
	}
	return false
}
