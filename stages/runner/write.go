package runner

import (
	"context"
	"errors"
	"fmt"

	"gleaner/schemas"
)

// One write takes what is ready up to these limits: while it is under way the next one gathers, so throughput does not pay
// for durability record by record.
const (
	writeRecords = 1024
	writeBytes   = 8 << 20
)

// write makes handled units durable, many in one Sink.Write, and finishes each as soon as all of its own outputs are. What a
// write leaves undone is tried again with whatever has come since. It returns when the workers are gone, or forgets the rest when ctx is done.
func (r *Runner) write(ctx context.Context) {
	var pending []*unit
	failures := 0
	for {
		if len(pending) == 0 {
			u, ok := <-r.done
			if !ok {
				return
			}
			pending = append(pending, u)
		}
		pending = r.gather(pending)
		left, err := r.writeOnce(ctx, pending)
		clear(pending[len(left):])
		pending = left
		if err == nil {
			failures = 0
			continue
		}
		if ctx.Err() == nil {
			r.stats.retried(err)
			if failures++; failures == 1 {
				r.log.Warn("write failed, retrying", "units", len(pending), "error", err)
			}
		}
		if !r.pause(ctx, max(failures, 1)) {
			break
		}
	}
	for _, u := range pending {
		r.forget(u)
	}
	for u := range r.done {
		r.forget(u)
	}
}

// gather adds what is ready without waiting, up to the limits of one write.
func (r *Runner) gather(pending []*unit) []*unit {
	records, bytes := 0, int64(0)
	for _, u := range pending {
		records += len(u.emits)
		bytes += u.size
	}
	for records < writeRecords && bytes < writeBytes {
		select {
		case u, ok := <-r.done:
			if !ok {
				return pending
			}
			pending = append(pending, u)
			records += len(u.emits)
			bytes += u.size
		default:
			return pending
		}
	}
	return pending
}

// writeOnce writes the outputs of all units that are ready in one call and finishes the units that are durable. It returns the others,
// in the same array, and why they are to be tried again; with no error what is left is ready now, or new dead letters.
func (r *Runner) writeOnce(ctx context.Context, units []*unit) ([]*unit, error) {
	var records []schemas.Record
	for _, u := range units {
		for _, e := range u.ready() {
			records = append(records, e.Record)
		}
	}
	err := r.deps.Sink.Write(ctx, records)
	var some *schemas.WriteError
	partial := errors.As(err, &some)

	left, first := units[:0], 0
	var again error
	for _, u := range units {
		ready := u.ready()
		var failed []schemas.Emit
		var hard error
		for i, e := range ready {
			why := err
			if partial {
				why = some.Failed[first+i]
			}
			if why == nil {
				continue
			}
			failed = append(failed, e)
			if final(why) && (partial || len(records) == 1) {
				hard = fmt.Errorf("write to %s: %w", e.Topic, why)
			} else {
				again = why
			}
		}
		first += len(ready)
		failed = append(failed, u.emits[len(ready):]...)
		switch {
		case len(failed) == 0:
			r.finish(u)
		case hard == nil:
			u.emits = failed
			left = append(left, u)
		case u.outcome == dead: // nowhere is left to set it aside
			r.fail(fmt.Errorf("step %s: dead letter of %s: %w", r.step, origin(u.jobs[0].rec), hard))
			r.forget(u)
		case r.condemn(u, hard):
			left = append(left, u)
		}
	}
	return left, again
}
