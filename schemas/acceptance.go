package schemas

import "time"

// AcceptanceWindow is how many accepted images in a row are to reach the target quality: a rate that does on the whole, but only just,
// does not in every other window.
const AcceptanceWindow = 500

// AcceptanceState says what becomes of a dataset's images.
type AcceptanceState string

// The states.
const (
	AcceptanceCollecting AcceptanceState = "collecting" // audits do not suffice yet: people see everything
	AcceptanceUnproven   AcceptanceState = "unproven"   // audits do not suffice yet, and images are accepted from the configured threshold on, as the rules want
	AcceptanceOn         AcceptanceState = "accepting"
	AcceptancePaused     AcceptanceState = "paused"    // audits look suspicious, or come too late: people see everything until it is clear
	AcceptanceWithdrawn  AcceptanceState = "withdrawn" // audits showed a change: what was accepted since went back to people, and audits begin anew
)

// Acceptance describes the automatic acceptance of a dataset that states a target quality. The threshold is that from which images
// are accepted or, where none are, the one that is tested next; Audits, Wrong, Bound, Needed and Share are about the images from it
// on in the present period.
type Acceptance struct {
	Dataset     string          `json:"dataset"`
	State       AcceptanceState `json:"state"`
	Target      float64         `json:"target_quality"`
	Audit       float64         `json:"audit_share"`
	Threshold   float64         `json:"threshold"`    // of confidence, [0,1]; 0 with no audits: not chosen yet
	Bound       float64         `json:"bound"`        // the error rate is below it, with confidence .95 however often one looks; 1: nothing is known
	Audits      int             `json:"audits"`       // of images from the threshold on
	Wrong       int             `json:"wrong"`        // of these
	Needed      int             `json:"needed"`       // more audits that it takes at the least, all without an error; 0: there are enough
	AtLeast     int             `json:"at_least"`     // audits without an error that any method needs for this target
	Share       float64         `json:"share"`        // of the images that lies from the threshold on
	TotalAudits int             `json:"total_audits"` // of all periods and confidences
	TotalWrong  int             `json:"total_wrong"`
	Outstanding int             `json:"outstanding"` // audits that are still to come, of all periods and confidences
	Automatic   uint64          `json:"automatic"`   // labels that stand and that no person has seen: the tasks saved
	People      uint64          `json:"people"`      // labels that stand and that people made
	Withdrawals []time.Time     `json:"withdrawals,omitempty"`
	History     []BoundPoint    `json:"history,omitempty"` // oldest first
}

// BoundPoint is what the bound was after so many audits.
type BoundPoint struct {
	Audits int     `json:"audits"` // of all periods and confidences
	Bound  float64 `json:"bound"`
}
