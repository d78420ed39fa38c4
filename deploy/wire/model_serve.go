package wire

import (
	"context"
	"fmt"
	"time"

	"gleaner/schemas"
	"gleaner/stages/prelabel"
)

// ServeModels lets the named models serve a dataset, or schemas.AnyDataset, from the next samples on. With a share above 0 they
// do so as a canary beside what serves there now. No names take the dataset's own models away.
func (c *Connections) ServeModels(ctx context.Context, dataset string, names []string, share float64, actor string) (schemas.Serving, error) {
	return c.serve(ctx, dataset, actor, func(r prelabel.Registry) (set schemas.ModelSet, err error) {
		ids := make([]string, len(names))
		for i, name := range names {
			m, err := FindModel(r, name)
			if err != nil {
				return set, err
			}
			ids[i] = m.ID
		}
		if share == 0 {
			return schemas.ModelSet{Models: ids}, nil
		}
		return schemas.ModelSet{Models: r.Serves(dataset).Models, Canary: ids, Share: share}, nil
	})
}

// RollbackModels lets what served a dataset before its last change serve it again; twice is as if nothing was done.
func (c *Connections) RollbackModels(ctx context.Context, dataset, actor string) (schemas.Serving, error) {
	return c.serve(ctx, dataset, actor, func(r prelabel.Registry) (set schemas.ModelSet, err error) {
		last := r.Serving[dataset]
		if last.Previous == nil {
			return set, fmt.Errorf("what serves dataset %s was never changed: there is nothing to roll back to", dataset)
		}
		return *last.Previous, nil
	})
}

func (c *Connections) serve(ctx context.Context, dataset, actor string, choose func(prelabel.Registry) (schemas.ModelSet, error)) (schemas.Serving, error) {
	r, err := c.Registry(ctx)
	if err != nil {
		return schemas.Serving{}, err
	}
	last := r.Serving[dataset]
	s := schemas.Serving{Dataset: dataset, Previous: &last.ModelSet, Actor: actor, At: now()}
	if s.ModelSet, err = choose(r); err != nil {
		return s, err
	}
	if s.Equal(last.ModelSet) {
		s.Previous = last.Previous // said once more, so that what was refused is tried again
	}
	if err := s.Validate(); err != nil {
		return s, err
	}
	for _, id := range s.All() {
		if removal, ok := r.Removed[id]; ok {
			return s, fmt.Errorf("model %s was removed by %s on %s", id, removal.Actor, removal.At.Local().Format(time.DateOnly))
		}
	}
	return s, c.appendModel(ctx, schemas.ServingKey(dataset), s)
}

// RemoveModel ends the use of a model. Its entry and its file stay, since labels name them. A model that serves is refused,
// though one that begins to serve in the same moment goes on.
func (c *Connections) RemoveModel(ctx context.Context, name, actor string) (schemas.ModelRemoval, error) {
	r, err := c.Registry(ctx)
	if err != nil {
		return schemas.ModelRemoval{}, err
	}
	m, err := FindModel(r, name)
	if err != nil {
		return schemas.ModelRemoval{}, err
	}
	if serves := ServedBy(r, m.ID); len(serves) > 0 {
		return schemas.ModelRemoval{}, fmt.Errorf("model %s serves dataset %s: let another model serve there first (gleaner model serve)", m.ID, serves[0])
	}
	removal := schemas.ModelRemoval{ID: m.ID, Actor: actor, At: now()}
	return removal, c.appendModel(ctx, schemas.ModelRemovalKey(m.ID), removal)
}
