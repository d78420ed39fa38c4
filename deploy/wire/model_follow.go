package wire

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"gleaner/schemas"
	"gleaner/stages/prelabel"
)

// roster is the model registry as this process sees it, and the fleet that follows it where the process runs prelabel.
type roster struct {
	c       *Connections
	follows bool            // a step of this process asks for models, or for their classes
	fleet   *prelabel.Fleet // nil: prelabel runs elsewhere
	changed chan struct{}   // holds one, when the fleet has not seen the registry's last change
	updated func()          // is called after each update of the fleet; nil: nothing is

	mu       sync.RWMutex
	registry prelabel.Registry
	next     int64 // offset of the topic's next record
}

// newRoster reads the registry to its present end. Where prelabel is among the steps it registers the configured model first,
// and when it returns what serves is loaded; what cannot be is logged, and samples wait for it.
func (c *Connections) newRoster(ctx context.Context, names []string) (*roster, error) {
	r := &roster{c: c, changed: make(chan struct{}, 1), registry: prelabel.NewRegistry()}
	r.follows = slices.ContainsFunc(names, func(n string) bool { return n == "prelabel" || n == "lint" || n == DeskStep })
	if !r.follows {
		return r, nil
	}
	prelabels := slices.Contains(names, "prelabel")
	if prelabels {
		if err := c.serveConfigured(ctx); err != nil {
			return nil, fmt.Errorf("prelabel.model: %w", err)
		}
	}
	if err := r.read(ctx); err != nil {
		return nil, err
	}
	if prelabels {
		r.fleet = prelabel.NewFleet(func(ctx context.Context, entry schemas.Model) (prelabel.Loaded, error) {
			m, err := c.loadModel(ctx, entry)
			if err != nil {
				return nil, err // not m, which as a Loaded would be more than nil
			}
			return m, nil
		}, c.Log)
		r.update(ctx)
	}
	return r, nil
}

// read takes the registry anew from what the topic holds.
func (r *roster) read(ctx context.Context) error {
	bounds, err := r.c.Kafka.Bounds(ctx, schemas.Models)
	if err != nil {
		return fmt.Errorf("model registry: %w", err)
	}
	fresh := roster{c: r.c, registry: prelabel.NewRegistry(), next: bounds[0].End}
	if err := r.c.Kafka.Scan(ctx, schemas.Models, fresh.apply); err != nil {
		return fmt.Errorf("model registry: %w", err)
	}
	r.mu.Lock()
	r.registry, r.next = fresh.registry, fresh.next
	r.mu.Unlock()
	r.poke()
	return nil
}

// apply takes in a record of the topic.
func (r *roster) apply(rec schemas.Record) error {
	r.mu.Lock()
	r.next = max(r.next, rec.Offset+1)
	err := r.registry.Apply(rec)
	r.mu.Unlock()
	if err != nil {
		r.c.Log.Warn("a record of the model registry is left out", "error", err)
		return nil
	}
	r.poke()
	return nil
}

// poke says that the registry has changed.
func (r *roster) poke() {
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// run follows the topic until ctx ends, and lets the fleet follow. A log that was cut or replaced is read anew.
func (r *roster) run(ctx context.Context) {
	if !r.follows {
		return
	}
	var wait sync.WaitGroup
	defer wait.Wait()
	if r.fleet != nil {
		wait.Go(func() { r.keepUpdated(ctx) })
	}
	for ctx.Err() == nil {
		r.mu.RLock()
		next := r.next
		r.mu.RUnlock()
		err := r.c.Kafka.Follow(ctx, schemas.Models, 0, next, r.apply)
		for ctx.Err() == nil && err != nil {
			r.c.Log.Error("the model registry cannot be followed: it is read anew", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
				err = r.read(ctx)
			}
		}
	}
}

// keepUpdated updates the fleet after every change, and for as long as that fails.
func (r *roster) keepUpdated(ctx context.Context) {
	const shortest, longest = time.Second, time.Minute
	pause, again := shortest, time.NewTimer(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.changed:
			pause = shortest
		case <-again.C:
		}
		if !r.update(ctx) {
			again.Reset(pause)
			pause = min(2*pause, longest)
		}
	}
}

// update lets the fleet serve what the registry says, and tells whether it does.
func (r *roster) update(ctx context.Context) bool {
	r.mu.RLock()
	registry := r.registry.Clone()
	r.mu.RUnlock()
	err := r.fleet.Update(ctx, registry)
	if err != nil && ctx.Err() == nil {
		r.c.Log.Error("models cannot be loaded and will be tried again", "error", err)
	}
	if r.updated != nil {
		r.updated()
	}
	return err == nil
}

// classes returns the classes that the models of a dataset know.
func (r *roster) classes(dataset string) []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.registry.Classes(r.registry.Serves(dataset).All())
}

// known returns the classes that the models which labeled a sample first know.
func (r *roster) known(s *schemas.Sample) []string {
	var ids []string
	for _, stamp := range s.Stamps {
		if stamp.Step == "prelabel" && stamp.Model != "" {
			ids = append(ids, stamp.Model)
		}
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.registry.Classes(ids)
}

func (r *roster) close() {
	if r.fleet != nil {
		r.fleet.Close()
	}
}
