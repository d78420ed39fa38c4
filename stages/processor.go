package stages

import (
	"context"

	"gleaner/schemas"
)

// Processor turns one sample into none, one or several, for the steps whose input and output are samples. The runner calls
// Process from many goroutines at once, and again with the same sample after a failure: it must give the same ids, and keep
// nothing between calls but the models and stores that its constructor was given.
//
// The slices and maps of in are the processor's to read, not to write: it builds new ones. An error that is a
// *schemas.Fault is final and sends the record to the dead letters; any other is retried with backoff.
type Processor interface {
	Process(ctx context.Context, in schemas.Sample) ([]schemas.Sample, error)
}
