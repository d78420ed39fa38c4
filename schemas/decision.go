package schemas

import "time"

// Decision is a rule from what training showed of an object to what becomes of it. It is entered where When has held at Persist
// evaluations in a row, and left where Until has: two thresholds, or patience, keep an object from going to and fro. Expressions are
// in CEL over the columns that ScoreColumns lists.
type Decision struct {
	Name    string         `json:"name" yaml:"name"` // unique in the dataset's rules; what is in force is kept by it
	Action  DecisionAction `json:"action" yaml:"action"`
	When    string         `json:"when" yaml:"when"`                           // condition on which the action is entered
	Until   string         `json:"until,omitempty" yaml:"until,omitempty"`     // condition on which it is left; empty: When does not hold
	Persist int            `json:"persist,omitempty" yaml:"persist,omitempty"` // evaluations in a row, each after a further presentation; 0: 1
	By      string         `json:"by,omitempty" yaml:"by,omitempty"`           // number: objects with more come first, and are more urgent; empty: 1
	Factor  string         `json:"factor,omitempty" yaml:"factor,omitempty"`   // number, with oversample: presentations for each one of before, (0,1000]
	// Limit bounds how many objects the action may hold, those first that By puts first; 0: any number. With review it bounds how many
	// one run may send to people.
	Limit   int    `json:"limit,omitempty" yaml:"limit,omitempty"`
	Top     int    `json:"top,omitempty" yaml:"top,omitempty"`         // with distill: how many objects are a class's picks, [1,1000]; 0: 50
	Message string `json:"message,omitempty" yaml:"message,omitempty"` // why, for people; the figures that When read follow it
}

// DecisionAction is what a Decision leads to.
type DecisionAction string

// The actions. All but the last are selections of that kind; the last is about a class and sends a Trigger.
const (
	ActionRemove     DecisionAction = "remove"     // not to be trained on
	ActionReview     DecisionAction = "review"     // to be looked at by people
	ActionOversample DecisionAction = "oversample" // to be presented more often
	ActionCoreset    DecisionAction = "coreset"    // stands for the rest
	ActionDistill    DecisionAction = "distill"    // a class whose picks no longer change is worth some synthetic images
)

// DecisionState is where one Decision stands about one object, or about one class where the action is distill.
type DecisionState struct {
	Dataset  string         `json:"dataset"`
	Decision string         `json:"decision"` // its name
	Action   DecisionAction `json:"action"`
	SampleID SampleID       `json:"sample_id,omitzero"`
	ObjectID string         `json:"object_id,omitempty"`
	Class    string         `json:"class,omitempty"`  // where the action is distill; the sample is zero there
	Active   bool           `json:"active"`           // the action is in force
	Streak   uint32         `json:"streak,omitempty"` // evaluations in a row that speak for a change of Active
	RunID    string         `json:"run_id"`           // the evaluation that counted last was of this run,
	Seen     uint32         `json:"seen"`             // which had presented the object so often, or for a class had shown so many epochs
	Others   []RunSeen      `json:"others,omitempty"` // other runs whose evaluations counted, the latest first
	// SinceRun and SinceSeen are the evaluation that changed Active last, and SinceAt is when.
	SinceRun  string    `json:"since_run,omitempty"`
	SinceSeen uint32    `json:"since_seen"`
	SinceAt   time.Time `json:"since_at,omitzero"`
	Score     float64   `json:"score"`  // By's value
	Weight    float64   `json:"weight"` // Factor's value, else 1
	Reason    string    `json:"reason,omitempty"`
	Top       []string  `json:"top,omitempty"` // a class's picks, each as SAMPLE or SAMPLE/OBJECT, ordered
	At        time.Time `json:"at,omitzero"`   // when it was written; the latest replaces the others
}

// RunSeen is how often a run had presented an object, or how many epochs it had shown, at its last evaluation that counted.
type RunSeen struct {
	RunID string `json:"run_id"`
	Seen  uint32 `json:"seen"`
}
