package schemas

import "time"

// Draw is an image that went to people because it was drawn at random: JSON in the blob store under DrawKey. What the person makes of
// it is an Audit. Nothing that people see tells it from other tasks.
type Draw struct {
	SampleID    SampleID  `json:"sample_id"`
	Confidence  float64   `json:"confidence"`  // that route had in the labels, (0,1]
	Probability float64   `json:"probability"` // with which images were drawn then, (0,1]
	Routed      time.Time `json:"routed"`
	Objects     []Object  `json:"objects"` // the labels that would have been accepted
}
