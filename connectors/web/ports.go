package web

import (
	"context"
	"net/http"

	"gleaner/schemas"
)

// Desk is the human labeling desk. Do appends a command and returns when this instance has folded it; an error that wraps
// schemas.ErrOutcomeUnknown means that it may still take effect, and the same command id may be sent again. The other methods
// read this instance's fold and do not block. All are safe for concurrent use.
type Desk interface {
	Do(context.Context, schemas.Command) (schemas.Outcome, error)
	Task(id string) (schemas.Task, bool)
	Tasks(schemas.TaskFilter) []schemas.Task // first those that a claim would take first
	Outcome(commandID string) (schemas.Outcome, bool)
	Counts() []schemas.QueueCount
}

// Blobs is the blob store. Get's error is fs.ErrNotExist where there is nothing under the key.
type Blobs interface {
	Put(ctx context.Context, key string, data []byte) error
	Get(ctx context.Context, key string) ([]byte, error)
}

// Sink takes raw records; they are durable when Write returns nil.
type Sink interface {
	Write(context.Context, []schemas.Record) error
}

// Catalog finds the latest record of a sample at any age, without inline pixels.
type Catalog interface {
	Sample(context.Context, schemas.SampleID) (schemas.Sample, bool, error)
}

// Deps is what the server needs of the rest of the system. Desk and Blobs are required; an endpoint whose dependency is nil
// answers 501 and says so.
type Deps struct {
	Desk    Desk
	Blobs   Blobs
	Raw     Sink
	Catalog Catalog
	Status  func(context.Context) (Status, error)
	Classes func(dataset string) []string // the classes that the dataset may use, for the labeling page; nil: those seen on the sample
	Metrics http.Handler
}
