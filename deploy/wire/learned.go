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
// together; with a span of time, of the samples written about within it, and of some before.
type correctionStore interface {
	Corrections(ctx context.Context, dataset string, within time.Duration, newest int) iter.Seq2[schemas.Correction, error]
}

const (
	learnEvery = 3 * time.Second
	// learnAnew is when all that is held is read again, which lets go of what was erased.
	learnAnew = time.Hour
	// correctionsAtOnce is about how many are in memory while many are read.
	correctionsAtOnce = 20_000
)

// learner keeps a book up to the corrections in the store.
type learner struct {
	book     *learned.Book
	from     correctionStore
	dataset  string
	taxonomy learned.Taxonomy
	log      *slog.Logger

	anew time.Time                   // when all was read
	last time.Time                   // when something was
	seen map[schemas.SampleID]uint64 // revisions that were read then
}

// newLearner keeps an empty book, of one dataset or, when it is empty, of all.
func newLearner(from correctionStore, dataset string, taxonomy learned.Taxonomy, log *slog.Logger) *learner {
	return &learner{book: learned.New(taxonomy), from: from, dataset: dataset, taxonomy: taxonomy, log: log}
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

// refresh takes in what has been written since the last time. After an error it is all still to be read.
func (l *learner) refresh(ctx context.Context) error {
	began := time.Now()
	if l.anew.IsZero() || began.Sub(l.anew) > learnAnew {
		fresh := learned.New(l.taxonomy)
		if _, err := l.read(ctx, 0, fresh); err != nil {
			return err
		}
		fresh.Fit()
		l.book.Become(fresh)
		l.anew, l.last, l.seen = began, began, nil
		return nil
	}
	seen, err := l.read(ctx, began.Sub(l.last), l.book)
	if err != nil {
		return err
	}
	l.book.Fit()
	l.last, l.seen = began, seen
	return nil
}

// read updates a book with what was written within a span of time and not seen before, and returns the revisions read.
func (l *learner) read(ctx context.Context, within time.Duration, into *learned.Book) (map[schemas.SampleID]uint64, error) {
	var rows []schemas.Correction
	read := map[schemas.SampleID]uint64{}
	for r, err := range l.from.Corrections(ctx, l.dataset, within, learned.MaxSamples) {
		if err != nil {
			return nil, err
		}
		if len(rows) >= correctionsAtOnce && rows[len(rows)-1].SampleID != r.SampleID {
			into.Update(rows)
			rows = rows[:0]
		}
		if within > 0 {
			read[r.SampleID] = r.Revision
		}
		if revision, again := l.seen[r.SampleID]; within == 0 || !again || revision != r.Revision {
			rows = append(rows, r)
		}
	}
	into.Update(rows)
	return read, nil
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
