package prelabel

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	"gleaner/schemas"
)

// Registry is what the models topic says.
type Registry struct {
	Models  map[string]schemas.Model        // by id, those that are removed too
	Removed map[string]schemas.ModelRemoval // by id
	Serving map[string]schemas.Serving      // by dataset; schemas.AnyDataset for those without models of their own
}

// NewRegistry is the registry of an empty topic.
func NewRegistry() Registry {
	return Registry{Models: map[string]schemas.Model{}, Removed: map[string]schemas.ModelRemoval{}, Serving: map[string]schemas.Serving{}}
}

// Clone copies the registry, so that Apply does not change the copy.
func (r Registry) Clone() Registry {
	return Registry{maps.Clone(r.Models), maps.Clone(r.Removed), maps.Clone(r.Serving)}
}

// Apply takes in the topic's next record. Of several entries under one id the first counts, of other kinds the last; a record
// without a value forgets its key, as compaction will. A record that no writer of ours makes is an error and changes nothing.
func (r Registry) Apply(rec schemas.Record) error {
	key := string(rec.Key)
	kind, name, ok := strings.Cut(key, "/")
	var err error
	switch {
	case ok && kind == "serving":
		err = apply(r.Serving, rec, name, func(s schemas.Serving) string { return s.Dataset })
	case ok && kind == "removed":
		err = apply(r.Removed, rec, name, func(m schemas.ModelRemoval) string { return m.ID })
	default:
		if _, known := r.Models[key]; !known || len(rec.Value) == 0 {
			err = apply(r.Models, rec, key, func(m schemas.Model) string { return m.ID })
		}
	}
	if err != nil {
		return fmt.Errorf("%s offset %d: record %q: %w", rec.Topic, rec.Offset, key, err)
	}
	return nil
}

func apply[T interface{ Validate() error }](into map[string]T, rec schemas.Record, name string, of func(T) string) error {
	if len(rec.Value) == 0 {
		delete(into, name)
		return nil
	}
	var v T
	if err := json.Unmarshal(rec.Value, &v); err != nil {
		return err
	}
	if of(v) != name {
		return fmt.Errorf("it is that of %q", of(v))
	}
	if err := v.Validate(); err != nil {
		return err
	}
	into[name] = v
	return nil
}

// Serves returns what serves the samples of a dataset: its own models, or else those of schemas.AnyDataset.
func (r Registry) Serves(dataset string) schemas.ModelSet {
	if own := r.Serving[dataset]; len(own.Models) > 0 {
		return own.ModelSet
	}
	return r.Serving[schemas.AnyDataset].ModelSet
}
