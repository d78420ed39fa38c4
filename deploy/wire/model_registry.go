package wire

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gleaner/schemas"
	"gleaner/stages/prelabel"
)

// Registry reads the models topic as it is now. Records that no writer of ours makes are logged and left out.
func (c *Connections) Registry(ctx context.Context) (prelabel.Registry, error) {
	r := prelabel.NewRegistry()
	err := c.Kafka.Scan(ctx, schemas.Models, func(rec schemas.Record) error {
		if err := r.Apply(rec); err != nil {
			c.Log.Warn("a record of the model registry is left out", "error", err)
		}
		return nil
	})
	if err != nil {
		return r, fmt.Errorf("model registry: %w", err)
	}
	return r, nil
}

// FindModel returns the entry of name@version, or of a name that has one version only.
func FindModel(r prelabel.Registry, name string) (schemas.Model, error) {
	if m, ok := r.Models[name]; ok {
		return m, nil
	}
	var found, gone []string
	for _, id := range slices.Sorted(maps.Keys(r.Models)) {
		_, removed := r.Removed[id]
		switch {
		case r.Models[id].Name != name:
		case removed:
			gone = append(gone, id)
		default:
			found = append(found, id)
		}
	}
	switch {
	case len(found) == 0 && len(gone) > 0:
		return schemas.Model{}, fmt.Errorf("model %q has no version that was not removed: %s", name, strings.Join(gone, ", "))
	case len(found) == 0:
		return schemas.Model{}, fmt.Errorf("model %q is not registered: `gleaner model list` lists them", name)
	case len(found) > 1:
		return schemas.Model{}, fmt.Errorf("model %q has several versions: name one of %s", name, strings.Join(found, ", "))
	}
	return r.Models[found[0]], nil
}

// ServedBy lists the datasets that a model serves, in order; it is not nil.
func ServedBy(r prelabel.Registry, id string) []string {
	datasets := []string{}
	for _, dataset := range slices.Sorted(maps.Keys(r.Serving)) {
		if slices.Contains(r.Serving[dataset].All(), id) {
			datasets = append(datasets, dataset)
		}
	}
	return datasets
}

func (c *Connections) appendModel(ctx context.Context, key string, v any) error {
	value, err := schemas.CanonicalJSON(v)
	if err == nil {
		err = c.Kafka.Append(ctx, schemas.Record{Topic: schemas.Models, Key: []byte(key), Value: value})
	}
	if err != nil {
		return fmt.Errorf("model registry: %s: %w", key, err)
	}
	return nil
}

func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
