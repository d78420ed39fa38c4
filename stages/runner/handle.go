package runner

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"gleaner/schemas"
)

// Reasons of the faults that the runner itself finds.
const (
	ReasonUndecodable = "undecodable"
	ReasonPanic       = "panic"
	ReasonTooLarge    = "too-large"
	ReasonCrashLoop   = "crash-loop"
	ReasonExhausted   = "retries-exhausted"
)

// handle calls the handler until every record of the unit has outputs, a dead letter, or lost its partition, and passes the
// outputs on to be written. When ctx is done it leaves the rest unacknowledged.
func (r *Runner) handle(ctx context.Context, u *unit) {
	for attempt := 1; ; attempt++ {
		if r.dropLost(u); len(u.jobs) == 0 {
			return
		}
		if len(u.jobs) == 1 && r.deps.Guard.hopeless(u.jobs[0].rec) {
			r.bury(u, schemas.NewFault(ReasonCrashLoop, errors.New("the process died each time that this record was in flight")))
			return
		}
		emits, err := r.call(ctx, u)
		if ctx.Err() != nil && err != nil {
			r.forget(u)
			return
		}
		if err = r.sort(ctx, u, emits, err); err == nil {
			return
		}
		if r.cfg.RetryAttempts > 0 && attempt >= r.cfg.RetryAttempts {
			err = schemas.NewFault(ReasonExhausted, fmt.Errorf("%d attempts: %w", attempt, err))
			for i := range u.jobs {
				r.bury(&unit{jobs: u.jobs[i : i+1]}, err)
			}
			return
		}
		r.stats.retried(err)
		if attempt == 1 {
			r.log.Warn("handling failed, retrying", "record", origin(u.jobs[0].rec), "records", len(u.jobs), "error", err)
		}
		if !r.pause(ctx, attempt) {
			r.forget(u)
			return
		}
	}
}

// sort settles what one call of the handler decided: done records go to the writer, faults to the dead letters. It returns nil
// when nothing is left, else why the jobs that are left in u are to be tried again.
func (r *Runner) sort(ctx context.Context, u *unit, emits []schemas.Emit, err error) error {
	if err == nil {
		r.pass(u, emits)
		return nil
	}
	var some *schemas.WriteError
	if !errors.As(err, &some) {
		if !final(err) {
			return err
		}
		if len(u.jobs) == 1 {
			r.bury(u, err)
			return nil
		}
		for i := range u.jobs { // one of them is the culprit
			r.handle(ctx, &unit{jobs: u.jobs[i : i+1]})
		}
		return nil
	}
	var ok, again []job
	var why error
	for i, j := range u.jobs {
		switch err := some.Failed[i]; {
		case err == nil:
			ok = append(ok, j)
		case errors.Is(err, schemas.ErrDropped):
			r.faults.good(1)
			r.finish(&unit{jobs: []job{j}, outcome: filtered})
		case final(err):
			r.bury(&unit{jobs: []job{j}}, err)
		default:
			again, why = append(again, j), err
		}
	}
	if len(ok) > 0 {
		r.pass(&unit{jobs: ok}, emits)
	}
	u.jobs = again
	return why
}

// final says whether no retry can mend err.
func final(err error) bool {
	_, fault := schemas.AsFault(err)
	return fault || errors.Is(err, schemas.ErrTooLarge)
}

// pass hands a handled unit to the writer, or finishes it at once when there is nothing to write.
func (r *Runner) pass(u *unit, emits []schemas.Emit) {
	r.faults.good(len(u.jobs))
	if len(emits) == 0 {
		if r.deps.Handler != nil {
			u.outcome = filtered
		}
		r.finish(u)
		return
	}
	r.give(u, emits)
	r.done <- u
}

// bury hands a record that no retry can mend to the writer as a dead letter, unless that would be one too many.
func (r *Runner) bury(u *unit, err error) {
	if r.condemn(u, err) {
		r.done <- u
	}
}

// condemn makes a dead letter of every record of a unit, in place of its outputs. When that is too many it stops the step
// instead, forgets the unit and reports false.
func (r *Runner) condemn(u *unit, err error) bool {
	fault, ok := schemas.AsFault(err)
	if !ok {
		fault = &schemas.Fault{Reason: ReasonTooLarge, Err: err}
	}
	letters := make([]schemas.Emit, len(u.jobs))
	for i := range u.jobs {
		rec := u.jobs[i].rec
		if !r.faults.bad() {
			r.fail(&TooManyFaultsError{Step: r.step, Limit: r.cfg.FaultLimit, Window: r.cfg.FaultWindow, Last: fmt.Errorf("%s: %w", origin(rec), fault)})
			r.forget(u)
			return false
		}
		r.log.Warn("record set aside in the dead letters", "record", origin(rec), "reason", fault.Reason, "error", fault.Err)
		letters[i] = schemas.Emit{Topic: schemas.Dead, Record: deadLetter(rec, r.step, fault)}
	}
	r.stats.failed(fault)
	u.outcome, u.out, u.rejects = dead, 0, 0
	r.give(u, letters)
	return true
}

// call runs the handler once, under the crash-loop guard, and turns a panic into a fault.
func (r *Runner) call(ctx context.Context, u *unit) (emits []schemas.Emit, err error) {
	slot := r.deps.Guard.enter(u.jobs)
	defer func() {
		r.deps.Guard.exit(slot)
		if p := recover(); p != nil {
			r.log.Error("handler panicked", "record", origin(u.jobs[0].rec), "panic", p, "stack", string(debug.Stack()))
			emits, err = nil, schemas.NewFault(ReasonPanic, fmt.Errorf("panic: %v", p))
		}
	}()
	if r.deps.Batch != nil {
		return r.deps.Batch.HandleBatch(ctx, u.records())
	}
	return r.deps.Handler.Handle(ctx, u.jobs[0].rec)
}

// pause waits before attempt+1: doubling from RetryMin to RetryMax, half of it random. It reports false when ctx is done.
func (r *Runner) pause(ctx context.Context, attempt int) bool {
	d := r.cfg.RetryMax
	if shift := attempt - 1; shift < 30 && r.cfg.RetryMin<<shift < d {
		d = r.cfg.RetryMin << shift
	}
	t := time.NewTimer(d/2 + rand.N(d/2+1))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
