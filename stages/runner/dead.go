package runner

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"gleaner/schemas"
)

// maxErrorHeader bounds the error text in a dead letter, in bytes.
const maxErrorHeader = 2048

// deadLetter is the record as it was, with headers that say where it came from and why it is here. Attempt counts the dead
// letters of this record so far, this one too, as far as a replay carries them along.
func deadLetter(rec schemas.Record, step string, f *schemas.Fault) schemas.Record {
	attempt := 1
	if s, ok := rec.Header(schemas.HeaderAttempt); ok {
		if n, err := strconv.Atoi(s); err == nil && n > 0 {
			attempt += n
		}
	}
	ours := []schemas.Header{
		{Key: schemas.HeaderOriginTopic, Value: []byte(rec.Topic)},
		{Key: schemas.HeaderOriginPartition, Value: strconv.AppendInt(nil, int64(rec.Partition), 10)},
		{Key: schemas.HeaderOriginOffset, Value: strconv.AppendInt(nil, rec.Offset, 10)},
		{Key: schemas.HeaderStep, Value: []byte(step)},
		{Key: schemas.HeaderReason, Value: []byte(f.Reason)},
		{Key: schemas.HeaderError, Value: []byte(clip(f.Err.Error(), maxErrorHeader))},
		{Key: schemas.HeaderAttempt, Value: strconv.AppendInt(nil, int64(attempt), 10)},
	}
	headers := make([]schemas.Header, 0, len(rec.Headers)+len(ours))
	for _, h := range rec.Headers {
		stale := h.Key == schemas.HeaderReplayStep ||
			slices.ContainsFunc(ours, func(o schemas.Header) bool { return o.Key == h.Key })
		if !stale {
			headers = append(headers, h)
		}
	}
	return schemas.Record{Topic: schemas.Dead, Key: rec.Key, Value: rec.Value, Headers: append(headers, ours...)}
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// TooManyFaultsError stops a step whose records go to the dead letters faster than its configuration allows: something is
// wrong with the step or its input as a whole, and going on would drain the topic. The record that was one too many, and those
// behind it, stay unacknowledged.
type TooManyFaultsError struct {
	Step          string
	Limit, Window int
	Last          error
}

func (e *TooManyFaultsError) Error() string {
	return fmt.Sprintf("step %s stopped: more than %d of its last %d records are faults; mend the cause, or raise fault_limit, "+
		"then start it again (gleaner replay brings the dead letters back); the last one: %v", e.Step, e.Limit, e.Window, e.Last)
}

func (e *TooManyFaultsError) Unwrap() error { return e.Last }

// faultWindow counts the faults among a step's last records. Rejects, duplicates and filtered records are good ones.
type faultWindow struct {
	limit int

	mu     sync.Mutex
	last   []bool // a ring: which of the last len(last) records were faults
	next   int
	faults int
}

func newFaultWindow(window, limit int) *faultWindow {
	return &faultWindow{limit: limit, last: make([]bool, window)}
}

// good counts n records that were handled.
func (w *faultWindow) good(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for range n {
		w.push(false)
	}
}

// bad counts a fault, or reports false, and does not count it, when it is one too many.
func (w *faultWindow) bad() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.faults >= w.limit {
		return false
	}
	w.push(true)
	return true
}

func (w *faultWindow) push(fault bool) {
	if w.last[w.next] {
		w.faults--
	}
	if fault {
		w.faults++
	}
	w.last[w.next] = fault
	w.next = (w.next + 1) % len(w.last)
}
