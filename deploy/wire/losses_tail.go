package wire

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"gleaner/schemas"
)

// LossTail says which messages of the losses topic are shown.
type LossTail struct {
	Run     string // empty: all
	Dataset string // empty: all
	All     bool   // begin with what the topic holds, rather than with what comes
	Once    bool   // end with what the topic holds
}

// TailLosses calls table with the rows that tail lets through, and finished with the runs that end. Calls come one at a time, those of
// one run in order. It returns when ctx ends, with nil, or after the last record where tail says so.
func (c *Connections) TailLosses(ctx context.Context, tail LossTail, table func(schemas.Losses) error, finished func(schemas.Run) error) error {
	var mu sync.Mutex
	show := func(r schemas.Record) error {
		mu.Lock()
		defer mu.Unlock()
		if event, ok := r.Header(schemas.HeaderEvent); ok {
			var run schemas.Run
			if event != schemas.EventRunFinished || json.Unmarshal(r.Value, &run) != nil || !tail.shows(run.RunID, run.Dataset) {
				return nil
			}
			return finished(run)
		}
		rows, err := schemas.DecodeLosses(r.Value)
		if err != nil {
			c.Log.Warn("a message cannot be decoded", "topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "error", err)
			return nil
		}
		var kept schemas.Losses
		first := 0 // of the rows that are kept together
		for i := 0; i <= rows.Len(); i++ {
			if i == rows.Len() || !tail.shows(rows.RunID[i], rows.Dataset[i]) {
				some := rows.Slice(first, i)
				kept.AppendTable(&some)
				first = i + 1
			}
		}
		if kept.Len() == 0 {
			return nil
		}
		return table(kept)
	}
	if tail.Once {
		return c.Kafka.Scan(ctx, schemas.LossRows, show)
	}
	bounds, err := c.Kafka.Bounds(ctx, schemas.LossRows)
	if err != nil {
		return err
	}
	group, following := errgroup.WithContext(ctx)
	for id, b := range bounds {
		from := b.End
		if tail.All {
			from = b.First
		}
		group.Go(func() error { return c.Kafka.Follow(following, schemas.LossRows, id, from, show) })
	}
	if err := group.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("tail losses: %w", err)
	}
	return nil
}

func (t LossTail) shows(run, dataset string) bool {
	return (t.Run == "" || t.Run == run) && (t.Dataset == "" || t.Dataset == dataset)
}

// EpochTail sums up rows by epoch as they come. Rows that were sent twice count twice: it looks at the topic, not at the table.
type EpochTail struct {
	open map[string][]*TailedEpoch // by run, in the order of attempts and epochs
}

// TailedEpoch is what has come of one epoch of a run.
type TailedEpoch struct {
	RunID    string   `json:"run_id"`
	Dataset  string   `json:"dataset"`
	Attempt  uint32   `json:"attempt"`
	Epoch    uint32   `json:"epoch"`
	Rows     uint64   `json:"rows"`
	MeanLoss *float64 `json:"mean_loss"` // nats, over finite losses; nil when there are none
	Accuracy float64  `json:"accuracy"`  // at presentation, [0,1]
	NaN      uint64   `json:"nan"`       // rows whose loss is not finite

	loss    float64
	correct uint64
}

// Add takes rows, in any order, and returns the epochs that they close: all but each run's last, so rows of an epoch that is closed make
// another one of it.
func (t *EpochTail) Add(rows *schemas.Losses) (closed []TailedEpoch) {
	if t.open == nil {
		t.open = map[string][]*TailedEpoch{}
	}
	var runs []string
	for i := range rows.Len() {
		run := rows.RunID[i]
		if !slices.Contains(runs, run) {
			runs = append(runs, run)
		}
		e := TailedEpoch{RunID: run, Dataset: rows.Dataset[i], Attempt: rows.Attempt[i], Epoch: rows.Epoch[i]}
		at, known := slices.BinarySearchFunc(t.open[run], &e, func(a, b *TailedEpoch) int {
			return cmp.Or(cmp.Compare(a.Attempt, b.Attempt), cmp.Compare(a.Epoch, b.Epoch))
		})
		if !known {
			t.open[run] = slices.Insert(t.open[run], at, &e)
		}
		t.open[run][at].add(float64(rows.Loss[i]), rows.Correct[i])
	}
	for _, run := range runs {
		closed = append(closed, t.close(run, 1)...)
	}
	return closed
}

// End closes what is open of a run.
func (t *EpochTail) End(run string) []TailedEpoch { return t.close(run, 0) }

// close closes all epochs of a run but the last few.
func (t *EpochTail) close(run string, keep int) (closed []TailedEpoch) {
	last := len(t.open[run]) - keep
	for _, e := range t.open[run][:max(last, 0)] {
		closed = append(closed, e.close())
	}
	if t.open[run] = t.open[run][max(last, 0):]; keep == 0 {
		delete(t.open, run)
	}
	return closed
}

// Rest closes all that is open.
func (t *EpochTail) Rest() (closed []TailedEpoch) {
	for _, run := range slices.Sorted(maps.Keys(t.open)) {
		closed = append(closed, t.End(run)...)
	}
	return closed
}

func (e *TailedEpoch) add(loss float64, correct bool) {
	e.Rows++
	if correct {
		e.correct++
	}
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		e.NaN++
	} else {
		e.loss += loss
	}
}

func (e *TailedEpoch) close() TailedEpoch {
	if finite := e.Rows - e.NaN; finite > 0 {
		mean := e.loss / float64(finite)
		e.MeanLoss = &mean
	}
	e.Accuracy = float64(e.correct) / float64(e.Rows)
	return *e
}
