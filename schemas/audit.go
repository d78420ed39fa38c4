package schemas

import "time"

// Audit is what a person made of an image that was drawn at random, of those that would have been accepted without one and of those
// that would not. One whose At is zero is still to come.
type Audit struct {
	SampleID    SampleID  `json:"sample_id"`
	Dataset     string    `json:"dataset"`
	Revision    uint64    `json:"revision"`    // of the submission, the first of the sample
	Confidence  float64   `json:"confidence"`  // that route had in the labels, [0,1]
	Probability float64   `json:"probability"` // with which the image was drawn, (0,1]
	Wrong       bool      `json:"wrong"`       // the person mended an error
	Actor       string    `json:"actor"`
	Routed      time.Time `json:"routed"` // when the image came to route
	At          time.Time `json:"at"`     // of the submission
}

// Answered reports whether a person has looked at the image.
func (a Audit) Answered() bool { return !a.At.IsZero() }
