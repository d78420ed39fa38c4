package wire

import (
	"context"
	"iter"
	"log/slog"
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
	perDataset[*evidence.Habits]
	from labelStore
}

func newHabits(from labelStore, log *slog.Logger) *habits {
	h := &habits{from: from}
	h.read, h.every, h.anew, h.share = h.learn, habitsEvery, habitsAnew, habitsShare
	h.failed = warn(log, "what is usual in a dataset stays as it was known: its labels cannot be read")
	return h
}

// Habits implements lint.Habits: nil when a dataset is asked for first, and seconds later what its labels say.
func (h *habits) Habits(dataset string) *evidence.Habits { return h.get(dataset) }

func (h *habits) learn(ctx context.Context, dataset string, _ *evidence.Habits) (*evidence.Habits, error) {
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
