// Package analysis turns the loss stream into decisions: rows go to the store as they come, and when a run says that it has
// finished, its curves are read back and what they say goes out on selections. So does what the dataset's rules decide by scores,
// while the run goes on too.
package analysis

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"time"

	"gleaner/schemas"
	"gleaner/stages"
	"gleaner/stages/analysis/doubt"
)

// Store is what the step needs of the database.
type Store interface {
	// InsertLosses is durable when it returns nil; the same token inserts the same rows once.
	InsertLosses(ctx context.Context, token string, rows *schemas.Losses) error
	// PutArrivals notes what a batch brought; the same batch replaces itself.
	PutArrivals(ctx context.Context, batch string, arrivals []schemas.LossArrival) error
	// Progress is the highest attempt of a run whose losses arrived, its highest epoch, and when the first arrived; zeros where none have.
	Progress(ctx context.Context, runID string) (attempt, epoch uint32, first time.Time, err error)
	// StaleRuns are those with rows that the summaries of their epochs do not have yet.
	StaleRuns(ctx context.Context) ([]string, error)
	RebuildEpochs(ctx context.Context, runID string) error
	PutRun(ctx context.Context, run schemas.Run) error
	Curves(ctx context.Context, runID string) iter.Seq2[schemas.Curve, error]
	DecisionStore
}

// Folder keeps scores.
type Folder interface {
	// FoldLosses brings scores up to the rows that can be read when it is called, and returns how many were new.
	FoldLosses(ctx context.Context) (rows uint64, err error)
}

// Blobs is where tombstones lie.
type Blobs interface {
	SelectionBlobs
	// List yields the keys that begin with prefix. The sequence ends at its first error.
	List(ctx context.Context, prefix string) iter.Seq2[string, error]
}

// Config of the step.
type Config struct {
	Doubt       doubt.Config  `yaml:"doubt"`
	DecideEvery time.Duration `yaml:"decide_every"` // between evaluations of a run's decisions while it goes on; the last is at its end
}

// DefaultConfig is the configuration of a system that says nothing else.
func DefaultConfig() Config { return Config{Doubt: doubt.DefaultConfig(), DecideEvery: time.Minute} }

// Validate refuses what could not run.
func (c Config) Validate() error {
	if c.DecideEvery < time.Second {
		return fmt.Errorf("decide_every: %s: must be at least 1s", c.DecideEvery)
	}
	return c.Doubt.Validate()
}

// Step consumes the losses topic in batches. Batches of one partition must come in order, one at a time: the end of a run
// follows its rows on the run's partition.
type Step struct {
	cfg       Config
	store     Store
	blobs     Blobs
	decisions Decisions
	log       *slog.Logger

	open     map[string]*open    // by run
	lifted   map[string]string   // by dataset: the rules without decisions under which nothing is in force
	progress map[string]progress // by run; of HandleBatch alone
	fresh    chan struct{}       // has one when rows were stored that are not summarized
	tally
}

// New returns the step.
func New(cfg Config, store Store, blobs Blobs, decisions Decisions, log *slog.Logger) (*Step, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Step{cfg: cfg, store: store, blobs: blobs, decisions: decisions, log: log, open: map[string]*open{}, lifted: map[string]string{}, progress: map[string]progress{}, fresh: make(chan struct{}, 1)}, nil
}

// HandleBatch stores the rows of all records in one insert, but those of erased samples, then ends the runs that say they are
// finished. Records that cannot be decoded fail by index, as faults, in a *schemas.WriteError; the others are done all the same.
func (s *Step) HandleBatch(ctx context.Context, records []schemas.Record) ([]schemas.Emit, error) {
	var (
		tables   []schemas.Losses
		token    = sha256.New()
		finished []int
		failed   = map[int]error{}
	)
	for i, r := range records {
		if event, ok := r.Header(schemas.HeaderEvent); ok {
			if event == schemas.EventRunFinished {
				finished = append(finished, i)
			} else {
				failed[i] = schemas.NewFault("unknown-event", fmt.Errorf("analysis: event %q on the losses topic: known is %q", event, schemas.EventRunFinished))
			}
			continue
		}
		table, err := schemas.DecodeLosses(r.Value)
		if err != nil {
			failed[i] = schemas.NewFault("undecodable", fmt.Errorf("analysis: decode losses: %w", err))
			continue
		}
		tables = append(tables, table)
		fmt.Fprintf(token, "%s/%d/%d\n", r.Topic, r.Partition, r.Offset)
	}
	rows := schemas.ConcatLosses(tables)
	if err := s.dropErased(ctx, &rows); err != nil {
		return nil, err
	}
	if rows.Len() > 0 {
		fmt.Fprintf(token, "%d rows\n", rows.Len()) // an erasure between two attempts makes another insert
		batch := hex.EncodeToString(token.Sum(nil))
		if err := s.store.InsertLosses(ctx, batch, &rows); err != nil {
			return nil, fmt.Errorf("analysis: insert %d loss rows: %w", rows.Len(), err)
		}
		arrivals, reached, err := s.arrivals(ctx, &rows)
		if err != nil {
			return nil, err
		}
		if err := s.store.PutArrivals(ctx, batch, arrivals); err != nil {
			return nil, fmt.Errorf("analysis: note arrivals: %w", err)
		}
		s.arrived(arrivals, reached)
		select {
		case s.fresh <- struct{}{}:
		default:
		}
	}
	if err := s.follow(ctx, &rows); err != nil {
		return nil, err
	}
	var emits []schemas.Emit
	for _, i := range finished {
		doubts, err := s.finish(ctx, records[i])
		if err != nil {
			if _, final := schemas.AsFault(err); !final {
				return nil, err
			}
			failed[i] = err
			continue
		}
		emits = append(emits, doubts)
	}
	if len(failed) < len(records) { // nobody writes what comes with failures alone
		emits = append(emits, s.tell()...)
	}
	if len(failed) > 0 {
		return emits, &schemas.WriteError{Failed: failed}
	}
	return emits, nil
}

// dropErased removes the rows of samples that have a tombstone.
func (s *Step) dropErased(ctx context.Context, rows *schemas.Losses) error {
	if rows.Len() == 0 {
		return nil
	}
	erased, err := stages.Tombstones(ctx, s.blobs)
	if err != nil {
		return fmt.Errorf("analysis: %w", err)
	}
	if len(erased) == 0 {
		return nil
	}
	if n := rows.Drop(erased); n > 0 {
		s.erased.Add(uint64(n))
		s.log.Info("left out loss rows of erased samples", "step", "analysis", "rows", n)
	}
	return nil
}

// finish records the run and emits the labels it doubts. The selection's id and time come from the run, so that a
// redelivered end of a run emits the same selection of the same losses. What is decided at the end waits for the batch to be done.
func (s *Step) finish(ctx context.Context, r schemas.Record) (doubts schemas.Emit, err error) {
	var run schemas.Run
	if err := json.Unmarshal(r.Value, &run); err != nil {
		return doubts, schemas.NewFault("undecodable", fmt.Errorf("analysis: end of a run: %w", err))
	}
	if run.RunID == "" || run.Dataset == "" {
		return doubts, schemas.NewFault("undecodable", errors.New("analysis: end of a run: run_id and dataset must be set"))
	}
	if err := s.store.PutRun(ctx, run); err != nil {
		return doubts, fmt.Errorf("analysis: run %s: %w", run.RunID, err)
	}
	if _, err := s.store.FoldLosses(ctx); err != nil { // whoever sees the selection finds the scores
		if ctx.Err() != nil {
			return doubts, fmt.Errorf("analysis: scores of run %s: %w", run.RunID, err)
		}
		s.log.Warn("a run ends before its scores, which are tried again", "step", "analysis", "run", run.RunID, "error", err)
	}
	picks, err := doubt.Pick(s.cfg.Doubt, s.store.Curves(ctx, run.RunID))
	if err != nil {
		return doubts, fmt.Errorf("analysis: curves of run %s: %w", run.RunID, err)
	}
	erased, err := stages.Tombstones(ctx, s.blobs)
	if err != nil {
		return doubts, fmt.Errorf("analysis: doubts of run %s: %w", run.RunID, err)
	}
	picks = slices.DeleteFunc(picks, func(p schemas.Pick) bool { return erased[p.SampleID] })
	selection := schemas.Selection{
		ID:             schemas.SelectionID(picks, run.Dataset, schemas.SelectionDoubtful, run.RunID, fmt.Sprint(run.Attempt)),
		Dataset:        run.Dataset,
		DatasetVersion: run.DatasetVersion,
		Kind:           schemas.SelectionDoubtful,
		Method:         "aum",
		RunID:          run.RunID,
		Seed:           run.Seed,
		At:             run.Finished,
		AsOf:           run.Started,
		Picks:          picks,
	}
	if err := s.store.PutSelection(ctx, selection); err != nil {
		return doubts, fmt.Errorf("analysis: selection of run %s: %w", run.RunID, err)
	}
	doubts, err = stages.EmitSelection(ctx, s.blobs, selection)
	if err != nil {
		return doubts, fmt.Errorf("analysis: %w", err)
	}
	now := time.Now().UTC()
	o := s.open[run.RunID]
	if o == nil {
		o = &open{first: now}
		s.open[run.RunID] = o
	}
	if o.closed && o.run.Attempt >= run.Attempt {
		return doubts, nil // by a try of this batch
	}
	o.run, o.ended = run, true
	return doubts, s.settle(ctx, o, now)
}
