package schemas

import (
	"time"

	"gleaner/schemas/geometry"
)

// Judgment is what a person made of a finding that they were shown, on their task or in answer to a submission. Each submission
// of a sample judges anew, and all judgments stand.
type Judgment struct {
	SampleID SampleID     `json:"sample_id"`
	Dataset  string       `json:"dataset"`
	Revision uint64       `json:"revision"` // of the submission
	Index    int          `json:"index"`    // among the findings shown with this revision
	Type     FindingType  `json:"type"`
	ObjectID string       `json:"object_id,omitempty"`
	Class    string       `json:"class,omitempty"`
	Box      geometry.Box `json:"box"`
	Score    float32      `json:"score"` // as the finding was shown, [0,1]
	Prior    float32      `json:"prior"` // its score before what was learned, [0,1]
	Outcome  Judged       `json:"outcome"`
	Reason   string       `json:"reason,omitempty"` // for which the label was kept
	Actor    string       `json:"actor"`
	At       time.Time    `json:"at"` // of the submission
}

// Judged says what became of a doubted label.
type Judged string

// The outcomes. The score of a finding is the probability of the first.
const (
	JudgedFixed  Judged = "fixed"  // the label was changed accordingly
	JudgedKept   Judged = "kept"   // it was kept for a reason
	JudgedPassed Judged = "passed" // it was left as it was, without a word
)

// JudgmentCount counts the judgments of findings of one type whose priors are about the same.
type JudgmentCount struct {
	Dataset string      `json:"dataset"`
	Type    FindingType `json:"type"`
	Prior   float64     `json:"prior"` // mean, [0,1]
	Fixed   uint64      `json:"fixed"`
	Kept    uint64      `json:"kept"`
	Passed  uint64      `json:"passed"`
}
