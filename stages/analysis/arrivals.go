package analysis

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"gleaner/schemas"
)

// progress is how far the rows of a run have come, and since when they come.
type progress struct {
	attempt, epoch uint32
	first          time.Time
}

func (p progress) before(q progress) bool {
	return p.attempt < q.attempt || p.attempt == q.attempt && p.epoch < q.epoch
}

// arrivals counts the rows of a batch by run, in the order in which they came, and says how far each run has come by then. It changes
// nothing: a batch whose insert fails is counted again.
func (s *Step) arrivals(ctx context.Context, rows *schemas.Losses) ([]schemas.LossArrival, map[string]progress, error) {
	var counts []schemas.LossArrival
	at, reached := map[string]int{}, map[string]progress{}
	last := -1 // index in counts of the row before
	for i := range rows.Len() {
		run := rows.RunID[i]
		if last < 0 || counts[last].RunID != run {
			k, ok := at[run]
			if !ok {
				from, err := s.reached(ctx, run)
				if err != nil {
					return nil, nil, fmt.Errorf("analysis: progress of run %s: %w", run, err)
				}
				k = len(counts)
				at[run], reached[run] = k, from
				counts = append(counts, schemas.LossArrival{RunID: run, Dataset: rows.Dataset[i]})
			}
			last = k
		}
		c := &counts[last]
		most := reached[run]
		here := progress{rows.Attempt[i], rows.Epoch[i], most.first}
		switch {
		case here.before(most):
			c.Late++
		case most.before(here):
			reached[run] = here
		}
		c.Rows++
		if loss := float64(rows.Loss[i]); math.IsNaN(loss) || math.IsInf(loss, 0) {
			c.NaN++
		}
		if (progress{attempt: c.Attempt, epoch: c.Epoch}).before(here) {
			c.Attempt, c.Epoch = here.attempt, here.epoch
		}
	}
	return counts, reached, nil
}

// reached is how far a run has come, by what this process has seen or, the first time, by the store.
func (s *Step) reached(ctx context.Context, run string) (progress, error) {
	if p, ok := s.progress[run]; ok {
		return p, nil
	}
	attempt, epoch, first, err := s.store.Progress(ctx, run)
	if first.IsZero() {
		first = time.Now().UTC()
	}
	return progress{attempt, epoch, first}, err
}

// maxRuns bounds the runs whose progress is remembered; the others' is asked for again.
const maxRuns = 10_000

// arrived takes over what arrivals counted, once it is stored.
func (s *Step) arrived(counts []schemas.LossArrival, reached map[string]progress) {
	if len(s.progress)+len(reached) > maxRuns {
		clear(s.progress)
	}
	for run, p := range reached {
		s.progress[run] = p
	}
	for _, c := range counts {
		s.stored.Add(c.Rows)
		s.late.Add(c.Late)
		s.nan.Add(c.NaN)
	}
}

// tally are the step's counters.
type tally struct {
	stored, late, nan, erased atomic.Uint64
}

var (
	storedRows = prometheus.NewDesc("gleaner_losses_rows_total", "Loss rows stored, doubles included.", nil, nil)
	lateRows   = prometheus.NewDesc("gleaner_losses_late_total", "Loss rows stored after rows of a later epoch or attempt of their run.", nil, nil)
	nanRows    = prometheus.NewDesc("gleaner_losses_nan_total", "Loss rows stored whose loss is not finite.", nil, nil)
	erasedRows = prometheus.NewDesc("gleaner_losses_erased_total", "Loss rows left out since their samples are erased.", nil, nil)
)

// Describe is of prometheus.Collector.
func (s *Step) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{storedRows, lateRows, nanRows, erasedRows} {
		ch <- d
	}
}

// Collect is of prometheus.Collector.
func (s *Step) Collect(ch chan<- prometheus.Metric) {
	for d, n := range map[*prometheus.Desc]*atomic.Uint64{storedRows: &s.stored, lateRows: &s.late, nanRows: &s.nan, erasedRows: &s.erased} {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n.Load()))
	}
}
