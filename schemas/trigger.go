package schemas

import "time"

// Trigger asks for a long job, such as distilling a class, with the evidence that set it off.
type Trigger struct {
	ID             string             `json:"id"`
	Dataset        string             `json:"dataset"`
	DatasetVersion string             `json:"dataset_version,omitempty"`
	Kind           string             `json:"kind"` // "distill", "retrain"
	Class          string             `json:"class,omitempty"`
	Reason         string             `json:"reason"`
	Evidence       map[string]float64 `json:"evidence,omitempty"`
	At             time.Time          `json:"at"`
}
