package schemas

import "fmt"

// Delivery is a run of records of one partition, in offset order.
type Delivery struct {
	Records []Record
	Lost    <-chan struct{} // closed when the partition is revoked: finish or drop, do not acknowledge
	Ack     func(i int)     // marks record i done; idempotent, concurrent, never blocks, does nothing once Lost
}

// Emit is one record for one topic. One without a value takes the record of its key back, when all else that its input gave is durable.
type Emit struct {
	Topic  Topic
	Record Record
}

// WriteError names the records of one write that are not durable, by their index in the call.
type WriteError struct{ Failed map[int]error }

func (e *WriteError) Error() string {
	for i, err := range e.Failed {
		return fmt.Sprintf("%d records not written, among them record %d: %v", len(e.Failed), i, err)
	}
	return "no record failed"
}

// Unwrap returns the causes, so that errors.Is and errors.As see them.
func (e *WriteError) Unwrap() []error {
	errs := make([]error, 0, len(e.Failed))
	for _, err := range e.Failed {
		errs = append(errs, err)
	}
	return errs
}

// ErrTooLarge is the cause of a write refused because the record exceeds its topic's max.message.bytes: final, never retried.
var ErrTooLarge = fmt.Errorf("record exceeds the topic's max.message.bytes")
