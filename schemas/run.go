package schemas

import "time"

// Run describes one training run: what it saw and what came out. It is the value of the run-finished event on losses.
type Run struct {
	RunID          string             `json:"run_id"`
	Attempt        uint32             `json:"attempt"`
	Model          string             `json:"model"`
	Dataset        string             `json:"dataset"`
	DatasetVersion string             `json:"dataset_version"`
	Epochs         uint32             `json:"epochs"`
	Rows           uint64             `json:"rows"` // loss rows sent by this attempt
	Seed           int64              `json:"seed"`
	Metrics        map[string]float64 `json:"metrics"` // "val_accuracy", "train_accuracy", …
	Started        time.Time          `json:"started"`
	Finished       time.Time          `json:"finished"`
}
