package wire

import (
	"context"
	"iter"
	"log/slog"
	"time"

	"gleaner/schemas"
	"gleaner/stages/corrections"
	"gleaner/stages/prelabel/convention"
)

// correctionStore yields the corrections that stand, of a dataset or of all, a sample's together; with a span of time, of the
// samples written about within it, and of some before.
type correctionStore interface {
	Corrections(ctx context.Context, dataset string, within time.Duration) iter.Seq2[schemas.Correction, error]
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
	path    corrections.Path
	log     *slog.Logger

	anew time.Time                   // when all was read
	last time.Time                   // when something was
	seen map[schemas.SampleID]uint64 // revisions that were read then
}

// newConventions keeps an empty book, of one dataset or, when it is empty, of all.
// path tells the taxonomy's names (convention.New).
func newConventions(from correctionStore, dataset string, path corrections.Path, log *slog.Logger) *conventions {
	return &conventions{book: convention.New(path), from: from, dataset: dataset, path: path, log: log}
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

// refresh takes in what has been written since the last time. After an error it is all still to be read.
func (c *conventions) refresh(ctx context.Context) error {
	began := time.Now()
	if c.anew.IsZero() || began.Sub(c.anew) > conventionsAnew {
		fresh := convention.New(c.path)
		if _, err := c.read(ctx, 0, fresh); err != nil {
			return err
		}
		c.book.Become(fresh)
		c.anew, c.last, c.seen = began, began, nil
		return nil
	}
	seen, err := c.read(ctx, began.Sub(c.last), c.book)
	if err != nil {
		return err
	}
	c.last, c.seen = began, seen
	return nil
}

// read updates a book with what was written within a span of time and not seen before, and returns the revisions read.
func (c *conventions) read(ctx context.Context, within time.Duration, into *convention.Book) (map[schemas.SampleID]uint64, error) {
	var rows []schemas.Correction
	read := map[schemas.SampleID]uint64{}
	for r, err := range c.from.Corrections(ctx, c.dataset, within) {
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
		if revision, again := c.seen[r.SampleID]; within == 0 || !again || revision != r.Revision {
			rows = append(rows, r)
		}
	}
	into.Update(rows)
	return read, nil
}

// Conventions returns what the corrections of a dataset say now.
func (c *Connections) Conventions(ctx context.Context, dataset string) ([]convention.Estimate, error) {
	classes, err := c.taxonomyRegistry(ctx)
	if err != nil {
		return nil, err
	}
	k := newConventions(c.DB, dataset, classes.Path, c.Log)
	if err := k.refresh(ctx); err != nil {
		return nil, err
	}
	return k.book.Estimates(dataset), nil
}
