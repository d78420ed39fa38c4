package wire

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"gleaner/schemas"
	"gleaner/stages/prelabel"
	"gleaner/stages/taxonomy"
)

// roster is the model registry as this process sees it, and the fleet that follows it where the process runs prelabel.
type roster struct {
	c       *Connections
	spaces  *taxonomy.Translations
	follows bool            // a step of this process asks for models, or for their classes
	fleet   *prelabel.Fleet // nil: prelabel runs elsewhere
	changed chan struct{}   // holds one, when the fleet has not seen the registry's last change
	updated func()          // is called after each update of the fleet

	mu       sync.RWMutex
	registry prelabel.Registry
}

// newRoster makes an empty roster; start fills it.
func (c *Connections) newRoster(names []string, spaces *taxonomy.Translations) *roster {
	r := &roster{c: c, spaces: spaces, changed: make(chan struct{}, 1), updated: func() {}, registry: prelabel.NewRegistry()}
	r.follows = slices.ContainsFunc(names, func(n string) bool { return n == "prelabel" || n == "lint" || n == DeskStep })
	if slices.Contains(names, "prelabel") {
		r.fleet = prelabel.NewFleet(c.loadModel, c.Log)
	}
	return r
}

// start reads the registry to its present end and follows it until ctx ends. Where prelabel runs it registers the configured
// model first, and when it returns what serves is loaded; what cannot be is logged, and samples wait for it.
func (r *roster) start(ctx context.Context) error {
	if !r.follows {
		return nil
	}
	if r.fleet != nil {
		if err := r.c.serveConfigured(ctx); err != nil {
			return fmt.Errorf("prelabel.model: %w", err)
		}
	}
	if err := r.c.followRegistry(ctx, schemas.Models, r.apply); err != nil {
		return err
	}
	if r.fleet != nil {
		r.update(ctx)
	}
	return nil
}

// apply takes in a record of the topic.
func (r *roster) apply(rec schemas.Record) {
	r.mu.Lock()
	err := r.registry.Apply(rec)
	r.mu.Unlock()
	if err != nil {
		r.c.Log.Warn("a record of the model registry is left out", "error", err)
		return
	}
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// run updates the fleet after every change, and for as long as that fails, until ctx ends.
func (r *roster) run(ctx context.Context) {
	if r.fleet == nil {
		return
	}
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
	r.updated()
	return err == nil
}

// classes returns the classes that the models of a dataset can give it.
func (r *roster) classes(dataset string) []string {
	r.mu.RLock()
	ids := r.registry.Serves(dataset).All()
	r.mu.RUnlock()
	return r.translated(dataset, ids)
}

// known returns the classes that the models which labeled a sample first can give its dataset.
func (r *roster) known(s *schemas.Sample) []string {
	return r.translated(s.Dataset, s.Models())
}

// own returns the classes that a model knows, by its own names.
func (r *roster) own(id string) []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.registry.Models[id].Classes
}

// translated are the classes of some models in those that a dataset wants.
func (r *roster) translated(dataset string, ids []string) []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var all []string
	for _, id := range ids {
		_, classes := r.spaces.Translate(dataset, r.registry.Models[id], nil)
		all = append(all, classes...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (r *roster) close() {
	if r.fleet != nil {
		r.fleet.Close()
	}
}
