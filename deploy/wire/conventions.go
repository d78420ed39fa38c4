package wire

import (
	"context"
	"iter"
	"log/slog"
	"time"

	"gleaner/schemas"
	"gleaner/stages/prelabel/convention"
)

// flatClasses is a label space without order: every class is its own canonical one, and a root.
type flatClasses struct{}

func (flatClasses) Canonical(_, class string) string { return class }

func (flatClasses) Parent(_, _ string) string { return "" }

// correctionStore yields the corrections that stand, of a dataset or of all, a sample's together; with a time, the largest Written seen so far,
// those written about then or later.
type correctionStore interface {
	Corrections(ctx context.Context, dataset string, since time.Time) iter.Seq2[schemas.Correction, error]
}

const (
	conventionsEvery = 3 * time.Second
	// conventionsAnew is when all is read again, which lets go of what was erased.
	conventionsAnew = time.Hour
	// correctionsAtOnce is about how many are in memory while many are read.
	correctionsAtOnce = 20_000
)

// conventions keeps a book up to the corrections in the store.
type conventions struct {
	book    *convention.Book
	from    correctionStore
	dataset string
	log     *slog.Logger

	since time.Time                   // the largest Written that the book has
	seen  map[schemas.SampleID]uint64 // revisions of what was written last, some of which comes again
	anew  time.Time                   // when all was read
}

// newConventions keeps an empty book, of one dataset or, when it is empty, of all.
func newConventions(from correctionStore, dataset string, log *slog.Logger) *conventions {
	return &conventions{book: convention.New(nil), from: from, dataset: dataset, log: log}
}

// run refreshes the book every few seconds until ctx ends. While the store does not answer, what is known stays.
func (c *conventions) run(ctx context.Context) {
	tick := time.NewTicker(conventionsEvery)
	defer tick.Stop()
	for {
		if err := c.refresh(ctx); err != nil && ctx.Err() == nil {
			c.log.Warn("conventions stay as they are: corrections cannot be read", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// refresh takes in what has been written since the last time; an error leaves some of it for the next.
func (c *conventions) refresh(ctx context.Context) error {
	into, since, seen, anew := c.book, c.since, c.seen, time.Since(c.anew) > conventionsAnew
	if anew {
		into, since, seen = convention.New(nil), time.Time{}, nil
	}
	newest, fresh := since, map[schemas.SampleID]uint64{}
	var rows []schemas.Correction
	for r, err := range c.from.Corrections(ctx, c.dataset, since) {
		if err != nil {
			return err
		}
		if len(rows) >= correctionsAtOnce && rows[len(rows)-1].SampleID != r.SampleID {
			into.Update(rows)
			rows = rows[:0]
		}
		if r.Written.After(newest) {
			newest = r.Written
		}
		if !since.IsZero() {
			fresh[r.SampleID] = r.Revision
		}
		if revision, old := seen[r.SampleID]; !old || revision != r.Revision {
			rows = append(rows, r)
		}
	}
	if len(rows) > 0 {
		into.Update(rows)
	}
	if anew {
		c.book.Become(into)
		c.anew = time.Now()
	}
	c.since, c.seen = newest, fresh
	return nil
}

// Conventions returns what the corrections of a dataset say now.
func (c *Connections) Conventions(ctx context.Context, dataset string) ([]convention.Estimate, error) {
	k := newConventions(c.DB, dataset, c.Log)
	if err := k.refresh(ctx); err != nil {
		return nil, err
	}
	return k.book.Estimates(dataset), nil
}
