package wire

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"gleaner/connectors/web"
	"gleaner/schemas"
	"gleaner/stages"
)

// Account says where the samples of a dataset are. A sample is counted once: with a label, or else rejected, or else
// waiting for a person.
type Account struct {
	Automatic uint64            `json:"automatic"` // labeled without a person
	Human     uint64            `json:"human"`     // labeled by people
	Waiting   uint64            `json:"waiting"`   // on the desk, not labeled yet
	Returned  uint64            `json:"returned"`  // labeled, and on the desk again
	Rejected  map[string]uint64 `json:"rejected"`  // by reason
	Linted    uint64            `json:"linted"`    // in the catalog as lint left them, or later; not a place of its own
}

// Rejects is the number of rejected samples.
func (a Account) Rejects() (n uint64) {
	for _, k := range a.Rejected {
		n += k
	}
	return n
}

// Total is the number of samples accounted for.
func (a Account) Total() uint64 { return a.Automatic + a.Human + a.Waiting + a.Rejects() }

// Account counts a dataset by what the catalog and this process's desk hold.
func (s *System) Account(ctx context.Context, dataset string) (Account, error) {
	counts, err := s.c.DB.Counts(ctx, dataset)
	if err != nil {
		return Account{}, err
	}
	a := Account{Rejected: counts.Rejected, Automatic: counts.Labels[schemas.RankAutomatic]}
	a.Linted = counts.Stages[schemas.StageLinted] + counts.Stages[schemas.StageSubmitted]
	a.Human = counts.Labels[schemas.RankHuman] + counts.Labels[schemas.RankReviewed]
	for _, state := range []schemas.TaskState{schemas.TaskOpen, schemas.TaskClaimed} {
		for _, t := range s.desk.Tasks(schemas.TaskFilter{Queue: dataset, State: state, Limit: 1 << 30}) {
			if t.Round > 1 {
				a.Returned++
			} else {
				a.Waiting++
			}
		}
	}
	return a, nil
}

// Elsewhere counts those of the samples that no account has: the erased ones, and those of which a step left a dead letter. A sample
// that was replayed since, or whose record died beside its way, is among the dead and has a place all the same.
func (c *Connections) Elsewhere(ctx context.Context, ids []schemas.SampleID) (erased, dead uint64, err error) {
	tombstones, err := stages.Tombstones(ctx, c.Blobs)
	if err != nil {
		return 0, 0, err
	}
	letters := map[schemas.SampleID]bool{}
	err = c.Kafka.Scan(ctx, schemas.Dead, func(r schemas.Record) error {
		id, err := schemas.ParseSampleID(string(r.Key))
		if err != nil {
			id = rawID(r)
		}
		letters[id] = true
		return nil
	})
	for _, id := range ids {
		switch {
		case tombstones[id]:
			erased++
		case letters[id]:
			dead++
		}
	}
	return erased, dead, err
}

// Idle tells whether every step has handled all that its topics hold, for the moment. Publish is left out: the desk's clock ticks on its
// topic for ever.
func (c *Connections) Idle(ctx context.Context) (bool, error) {
	s, err := c.Lags(ctx) // in the order of the flow, so that what moves on meanwhile is seen
	return err == nil && !slices.ContainsFunc(s.Steps, func(r web.StepStatus) bool { return r.Step != "publish" && r.Lag > 0 }), err
}

// Selections returns the newest selection of every kind of a dataset that the topic holds, taken back since or not.
func (c *Connections) Selections(ctx context.Context, dataset string) (map[string]schemas.Selection, error) {
	found := map[string]schemas.Selection{}
	err := c.Kafka.Scan(ctx, schemas.Selections, func(r schemas.Record) error {
		if r.Value == nil {
			return nil
		}
		var s schemas.Selection
		if err := json.Unmarshal(r.Value, &s); err != nil {
			return fmt.Errorf("%s offset %d: %w", r.Topic, r.Offset, err)
		}
		if s.Dataset == dataset {
			found[s.Kind] = s
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("selections: %w", err)
	}
	return found, nil
}
