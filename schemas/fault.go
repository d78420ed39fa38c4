package schemas

import "errors"

// Fault is an error that no retry can mend: the record that caused it goes to the dead letters untouched.
type Fault struct {
	Reason string // short, stable, for counting: "undecodable", "panic", "too-large"
	Err    error
}

func (f *Fault) Error() string { return f.Reason + ": " + f.Err.Error() }

func (f *Fault) Unwrap() error { return f.Err }

// NewFault wraps err as a Fault with the given reason.
func NewFault(reason string, err error) error { return &Fault{Reason: reason, Err: err} }

// AsFault returns the Fault in err's chain, if there is one.
func AsFault(err error) (*Fault, bool) {
	var f *Fault
	ok := errors.As(err, &f)
	return f, ok
}

// ErrOutOfMemory is in the chain of errors that come of too little memory: another try may help.
var ErrOutOfMemory = errors.New("out of memory")

// ErrDropped marks a record, in the WriteError of a handler of batches, that was left out on purpose, such as one of an
// erased sample: it is acknowledged, and counted as filtered.
var ErrDropped = errors.New("dropped on purpose")
