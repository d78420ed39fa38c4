package runner

import (
	"fmt"
	"slices"
	"time"

	"gleaner/schemas"
)

// job is one record on its way from a source to its acknowledgment.
type job struct {
	rec   schemas.Record
	index int // within its delivery
	ack   func(int)
	lost  <-chan struct{}
	began time.Time // when it was taken up
	size  int64     // bytes taken from the budget
}

// unit is what is handled, written and acknowledged together: one record, or a batch handler's batch.
type unit struct {
	jobs    []job
	emits   []schemas.Emit // not yet durable; those without a value come last
	size    int64          // bytes of all its emits, counted in the budget
	outcome outcome
	out     int // emits by where they go, for the counters
	rejects int
}

// outcome is how a unit ends.
type outcome uint8

const (
	handled outcome = iota
	filtered
	dead
)

// records returns the unit's inputs.
func (u *unit) records() []schemas.Record {
	recs := make([]schemas.Record, len(u.jobs))
	for i := range u.jobs {
		recs[i] = u.jobs[i].rec
	}
	return recs
}

// ready are the emits to write next. A record without a value takes another back that the unit has answered by its other outputs: it is
// written when these are durable, or else a crash in between could leave neither.
func (u *unit) ready() []schemas.Emit {
	if n := slices.IndexFunc(u.emits, takesBack); n > 0 {
		return u.emits[:n]
	}
	return u.emits
}

func takesBack(e schemas.Emit) bool { return e.Record.Value == nil }

// give sets what the unit has to write, and passes the input's trace on where there is one input.
func (r *Runner) give(u *unit, emits []schemas.Emit) {
	trace := -1
	if len(u.jobs) == 1 {
		in := u.jobs[0].rec.Headers
		trace = slices.IndexFunc(in, func(h schemas.Header) bool { return h.Key == schemas.HeaderTrace })
	}
	slices.SortStableFunc(emits, func(a, b schemas.Emit) int {
		switch {
		case takesBack(a) == takesBack(b):
			return 0
		case takesBack(b):
			return -1
		}
		return 1
	})
	var size int64
	for i := range emits {
		e := &emits[i]
		if _, has := e.Record.Header(schemas.HeaderTrace); trace >= 0 && !has {
			e.Record.Headers = append(slices.Clip(e.Record.Headers), u.jobs[0].rec.Headers[trace])
		}
		e.Record.Topic = e.Topic
		size += cost(e.Record)
		switch e.Topic {
		case schemas.Rejects:
			u.rejects++
		case schemas.Dead:
		default:
			u.out++
		}
	}
	r.budget.add(size - u.size)
	u.emits, u.size = emits, size
}

// finish acknowledges a unit whose outputs are all durable.
func (r *Runner) finish(u *unit) {
	for i := range u.jobs {
		u.jobs[i].ack(u.jobs[i].index)
	}
	r.stats.finished(u, time.Now())
	r.forget(u)
}

// forget gives back a unit's room. One that was not finished stays unacknowledged, so it will be read again.
func (r *Runner) forget(u *unit) {
	size := u.size
	for i := range u.jobs {
		size += u.jobs[i].size
	}
	r.budget.release(len(u.jobs), size)
}

// dropLost forgets the jobs whose partition went to another instance, which handles them.
func (r *Runner) dropLost(u *unit) {
	u.jobs = slices.DeleteFunc(u.jobs, func(j job) bool {
		select {
		case <-j.lost:
			r.budget.release(1, j.size)
			return true
		default:
			return false
		}
	})
}

// origin names a record for errors and logs.
func origin(rec schemas.Record) string {
	return fmt.Sprintf("%s[%d]@%d", rec.Topic, rec.Partition, rec.Offset)
}
