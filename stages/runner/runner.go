// Package runner runs one step of the flow: it reads records, handles them, writes what they give, and acknowledges them,
// in that order. It keeps the promises that every step shares, so that a step is only its Handler:
//
//   - an input is acknowledged after its outputs, or its dead letter, are durable, and never before;
//   - a failure is retried with backoff; a fault or a panic goes to the dead letters, bytes untouched; too many faults stop
//     the step; a record that kills the process again and again is set aside;
//   - what is in flight is bounded in records and bytes, so that a slow step slows its sources;
//   - stopping finishes what is in flight within a limit, and a killed process loses nothing that was acknowledged.
//
// Delivery is at least once and in no order: handlers give the same ids for the same input, and readers fold duplicates.
package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"gleaner/schemas"
)

// Source gives the records of one topic. It retries transient faults inside and returns io.EOF after Close; any other error
// but the context's ends the step. Close commits the acknowledged prefix and leaves.
type Source interface {
	Read(context.Context) (schemas.Delivery, error)
	Close(context.Context) error
}

// Sink is durable when Write returns nil; a *schemas.WriteError says which records are not, any other error that none is known
// to be. Record.Topic says where a record goes. Write is called by one goroutine at a time.
type Sink interface {
	Write(context.Context, []schemas.Record) error
	Close(context.Context) error
}

// Handler turns one record into the records it gives, for a step that treats records one by one. It is called from many
// goroutines at once, and again with the same record after a failure or a restart. A *schemas.Fault is final: the record goes to
// the dead letters. Any other error is retried with backoff. A quality reject is no error: it is an Emit to schemas.Rejects.
// To return nothing and no error is to filter the record out: it is acknowledged and counted.
type Handler interface {
	Handle(context.Context, schemas.Record) ([]schemas.Emit, error)
}

// BatchHandler is a Handler for steps that write tables: it gets many records, ordered by topic, partition and offset.
// A *schemas.WriteError names the records that failed by index, each with an error that Handler could have returned or with
// schemas.ErrDropped, and the others are done; after any other error all are handled again: together, or one by one to find
// the culprit when it is a fault.
type BatchHandler interface {
	HandleBatch(context.Context, []schemas.Record) ([]schemas.Emit, error)
}

// Lag is what a step has not read yet of one of its topics.
type Lag struct {
	Topic   schemas.Topic
	Records int64
	Gone    int64     // of those, records that the topic no longer holds
	Oldest  time.Time // when the oldest unread record was written; zero: unknown, or nothing is unread
}

// Deps is what a runner works with. It owns Sources and Sink and closes them; the rest may be shared.
type Deps struct {
	Sources []Source // one a topic
	Sink    Sink
	Handler Handler      // this
	Batch   BatchHandler // or this
	Log     *slog.Logger

	Guard   *Guard                               // shared by the steps of a process; nil: no crash-loop guard
	Metrics prometheus.Registerer                // nil: no metrics
	Lag     func(context.Context) ([]Lag, error) // nil: no lag, hence no retention alarm
}

// Runner runs one step.
type Runner struct {
	step   string
	cfg    Config
	deps   Deps
	log    *slog.Logger
	budget *budget
	faults *faultWindow
	stats  *recorder

	work chan *unit // read, not handled
	done chan *unit // handled, not written

	fail context.CancelCauseFunc // stops reading; set by Run
}

// New checks the configuration and registers the step's metrics; nothing runs before Run. step names the step in dead
// letters, replays, logs and metrics.
func New(step string, cfg Config, deps Deps) (*Runner, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("runner of step %s: %w", step, err)
	}
	switch {
	case step == "":
		return nil, errors.New("runner: the step has no name")
	case len(deps.Sources) == 0 || deps.Sink == nil || deps.Log == nil:
		return nil, fmt.Errorf("runner of step %s: sources, a sink and a log are required", step)
	case (deps.Handler == nil) == (deps.Batch == nil):
		return nil, fmt.Errorf("runner of step %s: exactly one of Handler and Batch is required", step)
	}
	r := &Runner{
		step:   step,
		cfg:    cfg,
		deps:   deps,
		log:    deps.Log.With("step", step),
		budget: newBudget(cfg.MaxInFlightRecords, int64(cfg.MaxInFlightBytes)),
		faults: newFaultWindow(cfg.FaultWindow, cfg.FaultLimit),
		work:   make(chan *unit),
		done:   make(chan *unit, cfg.Concurrency),
	}
	r.stats = newRecorder(step, r.budget)
	if deps.Metrics != nil {
		if err := deps.Metrics.Register(&collector{stats: r.stats}); err != nil {
			return nil, fmt.Errorf("runner of step %s: register metrics: %w", step, err)
		}
	}
	return r, nil
}

// Stats returns what the step did since New. It may be called at any time.
func (r *Runner) Stats() Stats { return r.stats.snapshot(time.Now()) }

// Run blocks until ctx is done, every source has ended, or the step has to stop, and says why: nil after ctx or the sources'
// end, *TooManyFaultsError after too many faults. What is in flight by then is finished within DrainTimeout; what is not stays
// unacknowledged and is read again. Run is called once.
func (r *Runner) Run(ctx context.Context) error {
	reading, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	r.fail = fail

	// Handling outlives reading by DrainTimeout at most.
	handling, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	context.AfterFunc(reading, func() {
		select {
		case <-time.After(r.cfg.DrainTimeout):
			abandon()
		case <-handling.Done():
		}
	})

	forward, end := r.submit, func() {}
	if r.deps.Batch != nil {
		b := startBatcher(reading, r)
		forward, end = b.add, b.close
	}
	var readers, workers, writer, watch sync.WaitGroup
	for _, s := range r.deps.Sources {
		readers.Go(func() {
			if err := r.read(reading, s, forward); err != nil {
				fail(err)
			}
		})
	}
	for range r.cfg.Concurrency {
		workers.Go(func() {
			for u := range r.work {
				r.handle(handling, u)
			}
		})
	}
	writer.Go(func() { r.write(handling) })
	watching, stopWatching := context.WithCancel(reading)
	watch.Go(func() { r.watchLag(watching) })

	readers.Wait()
	end()
	close(r.work)
	workers.Wait()
	close(r.done)
	writer.Wait()
	stopWatching()
	watch.Wait()

	cause := context.Cause(reading)
	if handling.Err() != nil {
		r.log.Warn("stopped with records in flight: they stay unacknowledged and will be read again", "drain_timeout", r.cfg.DrainTimeout)
	}
	if cause == context.Cause(ctx) { //nolint:errorlint // told to stop; a failure may wrap the same
		cause = nil
	}
	return errors.Join(cause, r.close(context.WithoutCancel(ctx)))
}

// close commits what was acknowledged and gives sources and sink back.
func (r *Runner) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.DrainTimeout)
	defer cancel()
	errs := make([]error, len(r.deps.Sources)+1)
	var wg sync.WaitGroup
	for i, s := range r.deps.Sources {
		wg.Go(func() {
			if err := s.Close(ctx); err != nil {
				errs[i] = fmt.Errorf("step %s: close source: %w", r.step, err)
			}
		})
	}
	wg.Wait()
	if err := r.deps.Sink.Close(ctx); err != nil {
		errs[len(errs)-1] = fmt.Errorf("step %s: close sink: %w", r.step, err)
	}
	return errors.Join(errs...)
}

// read takes records from one source for as long as there is room for them, and hands them on.
func (r *Runner) read(ctx context.Context, s Source, forward func(context.Context, *job) bool) error {
	for {
		d, err := s.Read(ctx)
		switch {
		case ctx.Err() != nil || errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("step %s: read: %w", r.step, err)
		}
		for i, rec := range d.Records {
			if only, ok := rec.Header(schemas.HeaderReplayStep); ok && only != r.step {
				d.Ack(i)
				r.stats.passed()
				continue
			}
			r.stats.seen(rec)
			j := job{rec: rec, index: i, ack: d.Ack, lost: d.Lost, began: time.Now(), size: cost(rec)}
			if !r.take(ctx, &j, forward) {
				return nil
			}
		}
	}
}

// take waits for room and hands the job on. While it waits, batches that are not full yet are flushed, since they may be
// what fills the room. It reports false when ctx is done.
func (r *Runner) take(ctx context.Context, j *job, forward func(context.Context, *job) bool) bool {
	if !r.budget.try(j.size) {
		if r.deps.Batch != nil && !forward(ctx, nil) {
			return false
		}
		if !r.budget.acquire(ctx, j.size) {
			return false
		}
	}
	if !forward(ctx, j) {
		r.budget.release(1, j.size)
		return false
	}
	return true
}

// submit hands one job to the workers.
func (r *Runner) submit(ctx context.Context, j *job) bool {
	select {
	case r.work <- &unit{jobs: []job{*j}}:
		return true
	case <-ctx.Done():
		return false
	}
}
