package wire

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// perDataset keeps what the database says of the datasets that were asked for, and reads it beside the work, so that nobody waits for
// the database. It is safe for concurrent use.
type perDataset[T any] struct {
	read   func(ctx context.Context, dataset string, known T) (T, error) // known is what was read before
	failed func(dataset string, err error)
	every  time.Duration // it is read at most so often
	anew   time.Duration // and at least
	share  float64       // the most of one core that it takes, unless anew is too short for that

	mu sync.Mutex
	of map[string]*remembered[T]
}

type remembered[T any] struct {
	value T         // the zero value: not read yet
	next  time.Time // when it is read again
}

// get returns what is known of a dataset: nothing when it is asked for first, and seconds later what the database says.
func (p *perDataset[T]) get(dataset string) T {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := p.of[dataset]
	if k == nil {
		k = &remembered[T]{}
		if p.of == nil {
			p.of = map[string]*remembered[T]{}
		}
		p.of[dataset] = k
	}
	return k.value
}

// run reads of the datasets that were asked for, until ctx ends. While the database does not answer, what is known stays.
func (p *perDataset[T]) run(ctx context.Context) {
	tick := time.NewTicker(learnEvery)
	defer tick.Stop()
	for {
		p.refresh(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// refresh reads what is due.
func (p *perDataset[T]) refresh(ctx context.Context) {
	due := map[string]T{}
	p.mu.Lock()
	for dataset, k := range p.of {
		if time.Now().After(k.next) {
			due[dataset] = k.value
		}
	}
	p.mu.Unlock()
	for dataset, value := range due {
		began := time.Now()
		value, err := p.read(ctx, dataset, value)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			p.failed(dataset, err)
		}
		p.mu.Lock()
		k := p.of[dataset]
		if err == nil {
			k.value = value
		}
		k.next = time.Now().Add(min(max(time.Duration(float64(time.Since(began))/p.share), p.every), p.anew))
		p.mu.Unlock()
	}
}

// warn is a perDataset's failed that logs what does not change.
func warn(log *slog.Logger, what string) func(dataset string, err error) {
	return func(dataset string, err error) { log.Warn(what, "dataset", dataset, "error", err) }
}
