package wire

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gleaner/schemas"
	"gleaner/stages/analysis"
	"gleaner/stages/analysis/decide"
	"gleaner/stages/rules"
)

// Decided is an evaluation of a dataset's decisions on a run.
type Decided struct {
	RunID   string `json:"run_id"`
	Dataset string `json:"dataset"`
	Rules   string `json:"rules"` // id of those in force; empty: others
	DryRun  bool   `json:"dry_run"`
	decide.Summary
}

// Decide evaluates the decisions of a dataset on a run: by its rules in force, or by try where it is not nil, which must be dry. An
// empty run is the one of the dataset that finished last. Each verdict is handed to said as it comes. Unless dry, what was decided is
// stored and goes out on selections and triggers, what entered in the course of the run once more, as at the end of a run.
func (c *Connections) Decide(ctx context.Context, dataset, runID string, try *rules.Set, dry bool, said func(decide.Verdict) error) (Decided, error) {
	d := Decided{RunID: runID, Dataset: dataset, DryRun: dry}
	set := try
	if set == nil {
		entry, err := c.RulesInForce(ctx, dataset)
		if err != nil {
			return d, err
		}
		if set, err = rules.Compile(entry); entry.ID != "" && err != nil {
			return d, fmt.Errorf("rules %s: %w", entry.ID, err)
		}
		d.Rules = entry.ID
	}
	held := false // by decisions that the rules no longer have
	if set != nil && set.Decisions().Empty() {
		var err error
		if held, err = analysis.InForce(ctx, c.DB, dataset); err != nil {
			return d, err
		}
	}
	if set == nil || set.Decisions().Empty() && !held {
		return d, fmt.Errorf("the rules of dataset %s have no decisions: write some (gleaner dataset apply --help says how) and apply them", dataset)
	}
	run, finished, err := c.DB.Run(ctx, dataset, runID)
	if err != nil {
		return d, err
	}
	if !finished {
		if runID == "" {
			return d, fmt.Errorf("no run of dataset %s has finished: name one that goes on by --run", dataset)
		}
		attempts, err := c.DB.AttemptsOn(ctx, runID)
		if err != nil {
			return d, err
		}
		attempt, err := attemptOf(attempts, runID, dataset)
		if err != nil {
			return d, err
		}
		_, _, first, err := c.DB.Progress(ctx, runID)
		if err != nil {
			return d, err
		}
		run = schemas.Run{RunID: runID, Dataset: dataset, Attempt: attempt, Started: first}
	}
	d.RunID = run.RunID
	of := decide.Evaluated{Run: run, Rules: d.Rules, At: time.Now().UTC(), Again: true}
	emits, sum, err := analysis.Decide(ctx, c.DB, c.Blobs, set.Decisions(), of, dry, said)
	d.Summary = sum
	if err != nil || len(emits) == 0 {
		return d, err
	}
	sink := c.Kafka.Sink()
	defer sink.Close(context.WithoutCancel(ctx))
	records := make([]schemas.Record, len(emits))
	for i, e := range emits {
		records[i] = e.Record
	}
	return d, sink.Write(ctx, records)
}

// attemptOf returns the last attempt of a run that goes on, out of those on each dataset that its losses are of. Samples of other
// datasets are none that the decisions of this one may be about.
func attemptOf(attempts map[string]uint32, runID, dataset string) (uint32, error) {
	attempt, ok := attempts[dataset]
	if ok && len(attempts) == 1 {
		return attempt, nil
	}
	others := slices.Sorted(maps.Keys(attempts))
	switch {
	case len(others) == 0:
		return 0, fmt.Errorf("run %s of dataset %s has no losses", runID, dataset)
	case !ok:
		return 0, fmt.Errorf("run %s is none of dataset %s: its losses are of %s", runID, dataset, strings.Join(others, ", "))
	}
	return 0, fmt.Errorf("run %s has losses of several datasets (%s): decisions are about those of one", runID, strings.Join(others, ", "))
}
