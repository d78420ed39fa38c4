package wire

import (
	"context"
	"iter"
	"log/slog"
	"time"

	"gleaner/schemas"
	"gleaner/stages/prelabel/learned"
)

// correctionStore yields the corrections that stand, of the samples of a dataset, or of each, that were submitted last, a sample's
// together; with a span of time, of the samples written about within it, and of some before. have is asked about each of these samples
// and its revision, and keeps it from being read: a submission that is judged again, by other rules or another taxonomy, keeps its
// revision, and counts here as it was read first.
type correctionStore interface {
	Corrections(ctx context.Context, dataset string, within time.Duration, newest int, have func(schemas.SampleID, uint64) bool) iter.Seq2[schemas.Correction, error]
}

const (
	learnEvery = 3 * time.Second
	// learnAnew is when what is held is compared with all that there is, which lets go of what was erased.
	learnAnew = time.Hour
	// correctionsAtOnce is about how many are in memory while many are read.
	correctionsAtOnce = 20_000
)

// learner keeps a book up to the corrections in the store.
type learner struct {
	book    *learned.Book
	from    correctionStore
	dataset string
	log     *slog.Logger

	reviewed time.Time // when all were listed
	last     time.Time // when something was read
}

// newLearner keeps an empty book, of one dataset or, when it is empty, of all.
func newLearner(from correctionStore, dataset string, taxonomy learned.Taxonomy, log *slog.Logger) *learner {
	return &learner{book: learned.New(taxonomy), from: from, dataset: dataset, log: log}
}

// run refreshes the book every few seconds until ctx ends. While the store does not answer, what is known stays.
func (l *learner) run(ctx context.Context) {
	tick := time.NewTicker(learnEvery)
	defer tick.Stop()
	for {
		if err := l.refresh(ctx); err != nil && ctx.Err() == nil {
			l.log.Warn("what was learned stays as it is: corrections cannot be read", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// refresh takes in what has been written since the last time. After an error the rest is still to be read.
func (l *learner) refresh(ctx context.Context) error {
	began := time.Now()
	review, within := l.reviewed.IsZero() || began.Sub(l.reviewed) > learnAnew, began.Sub(l.last)
	if review {
		within = 0
	}
	standing := map[schemas.SampleID]bool{}
	have := func(id schemas.SampleID, revision uint64) bool {
		standing[id] = true
		return l.book.Holds(id, revision)
	}
	if err := l.read(ctx, within, have); err != nil {
		return err
	}
	if review {
		if l.book.Review(func(id schemas.SampleID) bool { return !standing[id] }) {
			// Older ones have room now.
			if err := l.read(ctx, 0, l.book.Holds); err != nil {
				return err
			}
		}
		l.reviewed = began
	}
	l.book.Fit()
	l.last = began
	return nil
}

// read takes in, sample by sample, the corrections that have does not keep from being read.
func (l *learner) read(ctx context.Context, within time.Duration, have func(schemas.SampleID, uint64) bool) error {
	var rows []schemas.Correction
	for r, err := range l.from.Corrections(ctx, l.dataset, within, learned.MaxSamples, have) {
		if err != nil {
			return err
		}
		if len(rows) >= correctionsAtOnce && rows[len(rows)-1].SampleID != r.SampleID {
			l.book.Update(rows)
			rows = rows[:0]
		}
		rows = append(rows, r)
	}
	l.book.Update(rows)
	return nil
}

// Learned returns what the corrections of a dataset say now.
func (c *Connections) Learned(ctx context.Context, dataset string) (learned.Known, error) {
	classes, err := c.taxonomyRegistry(ctx)
	if err != nil {
		return learned.Known{}, err
	}
	l := newLearner(c.DB, dataset, classes, c.Log)
	err = l.refresh(ctx)
	return l.book.Known(dataset), err
}
