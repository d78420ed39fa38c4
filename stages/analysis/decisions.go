package analysis

// Decisions by scores: at the end of a run, and now and then while it goes on.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"gleaner/schemas"
	"gleaner/stages"
	"gleaner/stages/analysis/decide"
)

// Decisions is where the rules of datasets are (rules.Registry). It returns a nil set for a dataset without.
type Decisions interface {
	Decisions(dataset string) (set *decide.Set, rules string)
}

// DecisionStore is what decisions need of the database.
type DecisionStore interface {
	Folder
	// Scored and DecisionStates come in the order of (sample id, object id).
	Scored(ctx context.Context, dataset, runID string) iter.Seq2[schemas.Scored, error]
	DecisionStates(ctx context.Context, dataset string) iter.Seq2[schemas.DecisionState, error]
	PutDecisionStates(ctx context.Context, states []schemas.DecisionState) error
	// LastDecided is the latest time of a dataset's states but those of the time but; zero: there are none.
	LastDecided(ctx context.Context, dataset string, but time.Time) (time.Time, error)
	PutSelection(ctx context.Context, s schemas.Selection) error
}

// SelectionBlobs is where picks go that are too many for a message.
type SelectionBlobs interface {
	Put(ctx context.Context, key string, data []byte) error
}

// statesPerPut bounds how many states wait to be stored: some 500 bytes each.
const statesPerPut = 10_000

// ErrMeanwhile says that another process has decided about the dataset in the course of an evaluation, which wrote nothing from there on:
// it is to be evaluated again, with Evaluated.Again.
var ErrMeanwhile = errors.New("another process has decided about the dataset meanwhile: decide again")

// Decide evaluates the decisions of a dataset on a run, all of whose losses are folded into scores first. Verdicts are handed to said,
// which may be nil, as they come. Unless dry, states and selections are stored, but of samples that were erased meanwhile, and what the
// world is told is returned to be emitted; a run whose outputs were lost is decided about again with of.Again, and says the same. It fails
// with ErrMeanwhile rather than replace what another process has decided since it began, but within some milliseconds.
func Decide(ctx context.Context, store DecisionStore, blobs Blobs, set *decide.Set, of decide.Evaluated, dry bool, said func(decide.Verdict) error) (emits []schemas.Emit, sum decide.Summary, err error) {
	gathering, dataset := set.Gather(of), of.Run.Dataset
	last, err := store.LastDecided(ctx, dataset, time.Time{})
	if err != nil {
		return nil, sum, err
	}
	// of.At may be the trainer's clock, and last that of another process which is ahead: what is written replaces what it comes of.
	now := later(time.Now().UTC().Truncate(time.Microsecond), last.Add(time.Microsecond))
	var changed []schemas.DecisionState
	put := func() error {
		erased, err := stages.Tombstones(ctx, blobs)
		if err != nil {
			return err
		}
		if at, err := store.LastDecided(ctx, dataset, now); err != nil {
			return err
		} else if at.After(last) {
			return ErrMeanwhile
		}
		err = store.PutDecisionStates(ctx, slices.DeleteFunc(changed, func(s schemas.DecisionState) bool { return erased[s.SampleID] }))
		changed = changed[:0]
		return err
	}
	if _, err := store.FoldLosses(ctx); err != nil {
		return nil, sum, err
	}
	run := of.Run.RunID
	sum, err = set.Evaluate(ctx, run, store.Scored(ctx, dataset, run), store.DecisionStates(ctx, dataset), func(v decide.Verdict) error {
		if v.Changed {
			v.State.At = now
		}
		if v.Change == decide.Enters || v.Change == decide.Leaves {
			v.State.SinceAt = now
		}
		gathering.Add(v)
		if said != nil {
			if err := said(v); err != nil {
				return err
			}
		}
		if !v.Changed || dry {
			return nil
		}
		if changed = append(changed, v.State); len(changed) == statesPerPut {
			return put()
		}
		return nil
	})
	if err == nil && !dry {
		err = put()
	}
	if err != nil || dry {
		return nil, sum, err
	}
	erased, err := stages.Tombstones(ctx, blobs)
	if err != nil {
		return nil, sum, err
	}
	gathering.Drop(erased)
	for _, s := range gathering.Selections() {
		if err := store.PutSelection(ctx, s); err != nil {
			return nil, sum, err
		}
		e, err := stages.EmitSelection(ctx, blobs, s)
		if err != nil {
			return nil, sum, err
		}
		emits = append(emits, e)
	}
	for _, t := range gathering.Triggers() {
		value, err := json.Marshal(t)
		if err != nil {
			return nil, sum, err
		}
		emits = append(emits, schemas.Emit{Topic: schemas.Triggers, Record: schemas.Record{Topic: schemas.Triggers, Key: []byte(t.Dataset), Value: value}})
	}
	return emits, sum, nil
}

// InForce tells whether a dataset's decisions hold anything, be they of rules that it no longer has.
func InForce(ctx context.Context, store DecisionStore, dataset string) (bool, error) {
	for state, err := range store.DecisionStates(ctx, dataset) {
		if err != nil || state.Active {
			return err == nil, err
		}
	}
	return false, nil
}

// open is a run whose rows this process has seen and whose end it has not dealt with.
type open struct {
	run    schemas.Run // what is known of it
	ended  bool
	closed bool           // ended, and decided about since
	first  time.Time      // when this process first saw it
	tried  time.Time      // when it last tried to decide about it; zero: never
	whole  bool           // the last try succeeded: what it put into states was said, or is in untold
	untold []schemas.Emit // what goes out with the next batch that is done: states are stored, so another evaluation would not say it
}

// follow decides about the runs of some rows whose time has come, and notes those that are new. Runs that could not be decided
// about at their end are tried again. It fails with ctx alone.
func (s *Step) follow(ctx context.Context, rows *schemas.Losses) error {
	now := time.Now().UTC()
	due := map[string]bool{}
	for i, id := range rows.RunID {
		if i > 0 && id == rows.RunID[i-1] {
			continue
		}
		if s.open[id] == nil {
			s.open[id] = &open{run: schemas.Run{RunID: id, Dataset: rows.Dataset[i], Started: s.progress[id].first}, first: now}
		}
		due[id] = true
	}
	for _, id := range slices.Sorted(maps.Keys(s.open)) {
		r := s.open[id]
		if !due[id] && !r.ended || r.closed || len(r.untold) > 0 || now.Sub(later(r.first, r.tried)) < s.cfg.DecideEvery {
			continue
		}
		if err := s.settle(ctx, r, now); err != nil {
			return err
		}
	}
	return nil
}

// settle decides about an open run. One that cannot be decided about stays open, and stops nobody else: the error is the context's.
func (s *Step) settle(ctx context.Context, r *open, now time.Time) error {
	at := now
	if r.ended {
		at = r.run.Finished
	}
	again := !r.whole
	r.tried, r.whole = now, false
	emits, err := s.decide(ctx, r.run, at, again)
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		s.log.Warn("a run cannot be decided about, and is tried again when losses come", "step", "analysis", "run", r.run.RunID, "ended", r.ended, "error", err)
		return nil
	}
	r.whole, r.closed, r.untold = true, r.ended, append(r.untold, emits...)
	return nil
}

// tell takes what was decided and goes out with a batch that is done. From there on only the end of the process can lose it, and the
// next one says it again.
func (s *Step) tell() (emits []schemas.Emit) {
	for _, id := range slices.Sorted(maps.Keys(s.open)) {
		r := s.open[id]
		emits = append(emits, r.untold...)
		if r.untold = nil; r.closed {
			delete(s.open, id)
		}
	}
	return emits
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// mostRounds is how often a run is evaluated where other processes decide about its dataset at the same time.
const mostRounds = 5

// decide decides about a run, if the rules of its dataset have decisions, or had some that hold something yet.
func (s *Step) decide(ctx context.Context, run schemas.Run, at time.Time, again bool) ([]schemas.Emit, error) {
	set, id := s.decisions.Decisions(run.Dataset)
	if set == nil {
		return nil, nil
	}
	if set.Empty() {
		if s.lifted[run.Dataset] == id {
			return nil, nil
		}
		held, err := InForce(ctx, s.store, run.Dataset)
		if err != nil {
			return nil, fmt.Errorf("analysis: decisions of dataset %s: %w", run.Dataset, err)
		}
		if !held {
			s.lifted[run.Dataset] = id
			return nil, nil
		}
	}
	var emits []schemas.Emit
	var sum decide.Summary
	err := ErrMeanwhile
	for range mostRounds {
		emits, sum, err = Decide(ctx, s.store, s.blobs, set, decide.Evaluated{Run: run, Rules: id, At: at, Again: again}, false, nil)
		if again = true; !errors.Is(err, ErrMeanwhile) {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("analysis: decisions about run %s: %w", run.RunID, err)
	}
	for name, f := range sum.Faults {
		s.log.Warn("a decision cannot be evaluated on some objects, and leaves them as they are", "step", "analysis", "rules", id, "decision", name, "objects", f.Count, "first", f.First)
	}
	return emits, nil
}
