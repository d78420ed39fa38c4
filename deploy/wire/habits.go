package wire

import (
	"context"
	"iter"
	"log/slog"
	"sync"
	"time"

	"gleaner/schemas"
	"gleaner/stages/lint/evidence"
)

// labelStore yields the best label of each sample of a dataset in the order of sample ids, which are digests: the first are a random
// sample of all.
type labelStore interface {
	Labels(ctx context.Context, dataset string) iter.Seq2[schemas.Label, error]
}

const (
	habitLabels = 5000 // of a dataset are read at most
	// habitsEvery is how often they are, at most, and habitsAnew at least.
	habitsEvery = time.Minute
	habitsAnew  = time.Hour
	// habitsShare is the most of one core that it takes.
	habitsShare = 0.005
)

// habits are how the boxes of datasets usually are, of those that were asked for. It is safe for concurrent use.
type habits struct {
	from labelStore
	log  *slog.Logger

	mu sync.Mutex
	of map[string]*habitsOf
}

type habitsOf struct {
	known *evidence.Habits // nil: not read yet
	next  time.Time        // when they are read again
}

func newHabits(from labelStore, log *slog.Logger) *habits {
	return &habits{from: from, log: log, of: map[string]*habitsOf{}}
}

// Habits implements lint.Habits: nil when a dataset is asked for first, and seconds later what its labels say.
func (h *habits) Habits(dataset string) *evidence.Habits {
	h.mu.Lock()
	defer h.mu.Unlock()
	of := h.of[dataset]
	if of == nil {
		of = &habitsOf{}
		h.of[dataset] = of
	}
	return of.known
}

// run reads the labels of the datasets that were asked for, until ctx ends. While the store does not answer, what is known stays.
func (h *habits) run(ctx context.Context) {
	tick := time.NewTicker(learnEvery)
	defer tick.Stop()
	for {
		h.refresh(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// refresh reads what is due.
func (h *habits) refresh(ctx context.Context) {
	var due []string
	h.mu.Lock()
	for dataset, of := range h.of {
		if time.Now().After(of.next) {
			due = append(due, dataset)
		}
	}
	h.mu.Unlock()
	for _, dataset := range due {
		began := time.Now()
		known, err := h.read(ctx, dataset)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			h.log.Warn("what is usual in a dataset stays as it was known: its labels cannot be read", "dataset", dataset, "error", err)
		}
		h.mu.Lock()
		of := h.of[dataset]
		if err == nil {
			of.known = known
		}
		of.next = time.Now().Add(min(max(time.Duration(float64(time.Since(began))/habitsShare), habitsEvery), habitsAnew))
		h.mu.Unlock()
	}
}

func (h *habits) read(ctx context.Context, dataset string) (*evidence.Habits, error) {
	var failed error
	known := evidence.HabitsOf(func(yield func(*schemas.Sample) bool) {
		n := 0
		for l, err := range h.from.Labels(ctx, dataset) {
			if failed = err; err != nil || n == habitLabels || !yield(&schemas.Sample{Image: l.Image, Objects: l.Objects}) {
				return
			}
			n++
		}
	})
	return known, failed
}
