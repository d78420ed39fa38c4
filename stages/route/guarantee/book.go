package guarantee

import (
	"iter"
	"sync"
	"time"

	"gleaner/schemas"
)

// Stale is how old what is known may be; when it is older, people see everything.
const Stale = time.Minute

// Book holds the guarantees of datasets for the steps of a process. It is safe for concurrent use.
type Book struct {
	config func(dataset string) (Config, bool)
	now    func() time.Time

	mu    sync.RWMutex
	pages map[string]page
}

// page is what is known of one dataset.
type page struct {
	guarantee *Guarantee // not changed any more
	history   []schemas.BoundPoint
	missing   int // audits that are still to come
	read      time.Time
}

// NewBook returns a book that knows no audits. config tells what a dataset wants, and whether it wants a guarantee.
func NewBook(config func(dataset string) (Config, bool)) *Book {
	return &Book{config: config, now: time.Now, pages: map[string]page{}}
}

// Read folds the audits of a dataset, also those that are still to come, in the order of Order, as they were at a time. The guarantee takes the place of the one
// before. After an error nothing has changed; a dataset that wants none is forgotten.
func (b *Book) Read(dataset string, audits iter.Seq2[schemas.Audit, error], at time.Time) error {
	cfg, ok := b.config(dataset)
	if !ok {
		b.Forget(dataset)
		return nil
	}
	g, err := New(cfg)
	if err != nil {
		return err
	}
	var history curve
	var waiting queue
	for a, err := range audits {
		if err != nil {
			return err
		}
		for _, a := range waiting.push(a) {
			g.Add(a)
			history.add(g)
		}
	}
	g.Unread(waiting.unread())
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pages[dataset] = page{g, history.points, waiting.outstanding(), at}
	return nil
}

// Confirm says that what is known of a dataset was all that there was at a time.
func (b *Book) Confirm(dataset string, at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p, ok := b.pages[dataset]; ok {
		p.read = at
		b.pages[dataset] = p
	}
}

// Forget drops what is known of a dataset.
func (b *Book) Forget(dataset string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.pages, dataset)
}

// Current reports whether what is known of a dataset was folded by what it wants now.
func (b *Book) Current(dataset string) bool {
	cfg, ok := b.config(dataset)
	p, known := b.page(dataset)
	return ok && known && p.guarantee.cfg == cfg
}

func (b *Book) page(dataset string) (page, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	p, ok := b.pages[dataset]
	return p, ok
}

// Decide is Guarantee.Decide; covered is false where a dataset wants no guarantee. As long as audits have not been read lately, or by
// what the dataset wants, people see everything.
func (b *Book) Decide(dataset string, id schemas.SampleID, confidence float64) (d Decision, covered bool) {
	cfg, ok := b.config(dataset)
	if !ok {
		return Decision{}, false
	}
	p, known := b.page(dataset)
	if !known || p.guarantee.cfg != cfg || b.stale(p) {
		return Decision{Probability: 1}, true
	}
	return p.guarantee.Decide(id, confidence), true
}

func (b *Book) stale(p page) bool { return b.now().Sub(p.read) > Stale }

// State describes a dataset for people; ok is false where nothing has been read of it. Where audits have not been read lately,
// acceptance pauses.
func (b *Book) State(dataset string) (a schemas.Acceptance, ok bool) {
	p, ok := b.page(dataset)
	if !ok {
		return a, false
	}
	if a = p.guarantee.State(); (a.State == schemas.AcceptanceOn || a.State == schemas.AcceptanceUnproven) && b.stale(p) {
		a.State = schemas.AcceptancePaused
	}
	a.Dataset, a.History, a.Outstanding = dataset, p.history, p.missing
	return a, true
}

// Withdrawals lists those of a dataset, the oldest first.
func (b *Book) Withdrawals(dataset string) []Withdrawal {
	if p, ok := b.page(dataset); ok {
		return p.guarantee.Withdrawals()
	}
	return nil
}

// maxPoints bounds a curve.
const maxPoints = 256

// curve keeps evenly spaced points of a bound over audits.
type curve struct {
	points []schemas.BoundPoint
	stride int
	seen   int
}

func (c *curve) add(g *Guarantee) {
	if c.stride = max(c.stride, 1); c.seen%c.stride == 0 {
		c.points = append(c.points, schemas.BoundPoint{Audits: g.audits.N, Bound: g.State().Bound})
	}
	c.seen++
	if len(c.points) > maxPoints {
		half := c.points[:0]
		for i := 0; i < len(c.points); i += 2 {
			half = append(half, c.points[i])
		}
		c.points, c.stride = half, 2*c.stride
	}
}
