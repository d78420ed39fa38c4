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

// Rules are what datasets want labeled. Check returns what is against the rules of the sample's dataset in objects as its labels;
// it fails only when ctx has ended. Both are safe for concurrent use.
type Rules interface {
	Rules(dataset string) (schemas.DatasetRules, bool)
	Check(ctx context.Context, sample *schemas.Sample, objects []schemas.Object) ([]schemas.Violation, error)
}

// Deps is what the server needs of the rest of the system. Desk and Blobs are required; an endpoint whose dependency is nil
// answers 501 and says so.
type Deps struct {
	Desk    Desk
	Blobs   Blobs
	Raw     Sink
	Catalog Catalog
	Status  func(context.Context) (Status, error)
	// Acceptance describes the datasets that state a target quality, in the order of their names.
	Acceptance func(context.Context) ([]schemas.Acceptance, error)
	Rules      Rules // nil: no dataset has any
	// Lint returns what is doubtful in an annotation of an actor as the labels of a sample, the most doubtful first. It is safe
	// for concurrent use, and is to end soon after ctx has. nil: nobody is asked anything at a submission.
	Lint func(ctx context.Context, sample schemas.Sample, ann schemas.Annotation, actor string) ([]schemas.Finding, error)
	// Claimed is told of each sample that a person begins to work on, and returns at once; nil: nobody wants to know.
	Claimed func(schemas.Sample)
	Classes func(dataset string) []string // what the labeling page offers where a dataset's rules name no classes, beside those seen on the sample; nil: nothing
	Metrics http.Handler
}
