package schemas

// Violation is one label, or all labels of an image together, against a rule of their dataset.
type Violation struct {
	ObjectID string   `json:"object_id,omitempty"` // empty: about the image
	Rule     string   `json:"rule"`                // name of the predicate, or class, min_size, attribute, occlusion, truncation, max_count
	Message  string   `json:"message"`             // one sentence for people
	Severity Severity `json:"severity"`

	Unevaluated bool `json:"-"` // nothing is broken as far as is known: the predicate asks for what is not there, or takes too long
}

// Severity says what a violation leads to.
type Severity string

// The severities.
const (
	SeverityError Severity = "error" // the API refuses the label; lint doubts one that exists already
	SeverityWarn  Severity = "warn"  // the label passes and lint doubts it
)
