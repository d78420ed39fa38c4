package web

import (
	"time"

	"gleaner/schemas"
)

// Status is the answer of GET /api/status: what an operator wants to know at a glance.
type Status struct {
	Version string       `json:"version"`
	Started time.Time    `json:"started"`
	Now     time.Time    `json:"now"`
	Steps   []StepStatus `json:"steps"` // in the order of the flow
	// Serving is what labels samples first, by dataset, or schemas.AnyDataset; nil where the process does not run prelabel.
	Serving map[string]schemas.InForce `json:"serving"`
}

// StepStatus is one step of the flow as this process sees it. Counts are records since the process started.
type StepStatus struct {
	Step        string    `json:"step"`
	State       string    `json:"state"` // "running", "stopped", "failed", or "elsewhere" when another process runs it
	In          uint64    `json:"in"`
	Out         uint64    `json:"out"`
	Rejected    uint64    `json:"rejected"`
	Dead        uint64    `json:"dead"`
	Lag         int64     `json:"lag"`       // records not yet acknowledged, over all partitions of its inputs; -1: not known
	InFlight    int64     `json:"in_flight"` // records
	Rate        float64   `json:"rate"`      // records a second, over the last seconds
	P50         float64   `json:"p50_ms"`    // latency of one record, milliseconds
	P95         float64   `json:"p95_ms"`
	LastError   string    `json:"last_error,omitempty"`
	LastErrorAt time.Time `json:"last_error_at,omitzero"`
}
