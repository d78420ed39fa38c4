package wire

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"

	"gleaner/deploy/config"
	"gleaner/schemas"
	"gleaner/stages/prelabel"
)

// ErrRegistered says that a model's id has another meaning already.
var ErrRegistered = errors.New("registered already, and entries never change: choose another version")

// ModelSpec is what a person says of a model file.
type ModelSpec struct {
	Name       string
	Version    string // empty: that of an entry of this name which says the same, or else the next number
	Classes    []string
	Decode     schemas.Decode // what is left out is recognized
	LabelSpace string
	License    string
	Metrics    map[string]float64 // empty: those of the run that the file says trained it
}

// AddModel tries an ONNX file on the real runtime, stores it by its content and registers it. An entry that says the same is
// returned, with added false; under an id that means something else the error is ErrRegistered.
func (c *Connections) AddModel(ctx context.Context, data []byte, spec ModelSpec) (m schemas.Model, added bool, err error) {
	if _, _, err := schemas.ParseModelID(spec.Name + "@" + cmp.Or(spec.Version, "1")); err != nil {
		return m, false, err
	}
	r, err := c.Registry(ctx)
	if err != nil {
		return m, false, err
	}
	tried, err := prelabel.Try(ctx, func(_ context.Context, m schemas.Model) (prelabel.Loaded, error) {
		return OpenModel(data, m, c.Config, c.Log)
	}, schemas.Model{ID: spec.Name + "@" + cmp.Or(spec.Version, "new"), SHA256: sha256.Sum256(data), Classes: spec.Classes, Decode: spec.Decode})
	if err != nil {
		return m, false, err
	}
	m = tried.Model()
	if err := errors.Join(prelabel.CheckDecode(spec.Decode, m.Decode), tried.Close()); err != nil {
		return m, false, err
	}
	if m.Metrics = spec.Metrics; len(m.Metrics) == 0 {
		within, err := config.ModelMetadata(data)
		if err != nil {
			return m, false, err
		}
		if within.Run != nil {
			m.Metrics = within.Run.Metrics
		}
	}
	m.Version = cmp.Or(spec.Version, nextVersion(r, m, spec))
	m.ID, m.LabelSpace, m.License, m.At = m.Name+"@"+m.Version, spec.LabelSpace, spec.License, now()
	m.File = schemas.BlobRef{Key: schemas.ModelKey(m.SHA256), Size: int64(len(data))}
	if err := m.Validate(); err != nil {
		return m, false, err
	}
	if err := c.Blobs.Put(ctx, m.File.Key, data); err != nil {
		return m, false, fmt.Errorf("model %s: file: %w", m.ID, err)
	}
	return c.register(ctx, m, spec, r)
}

// register puts an entry on the topic. The blob store decides between racing writers, so that an id has one meaning for ever.
func (c *Connections) register(ctx context.Context, m schemas.Model, spec ModelSpec, r prelabel.Registry) (schemas.Model, bool, error) {
	fail := func(err error) (schemas.Model, bool, error) {
		return m, false, fmt.Errorf("model %s: register: %w", m.ID, err)
	}
	value, err := schemas.CanonicalJSON(m)
	if err != nil {
		return fail(err)
	}
	first, known := r.Models[m.ID]
	if !known {
		existing, created, err := c.Blobs.PutNew(ctx, schemas.ModelEntryKey(m.ID), value)
		if err != nil {
			return fail(err)
		}
		if first = m; !created {
			value = existing
			if err := json.Unmarshal(existing, &first); err != nil {
				return fail(err)
			}
		}
	}
	switch _, removed := r.Removed[m.ID]; {
	case removed:
		return fail(errors.New("it was removed: choose another version"))
	case !sameModel(first, m, spec):
		return first, false, fmt.Errorf("model %s: %w", m.ID, ErrRegistered)
	case known:
		return first, false, nil
	}
	if err := c.Kafka.Append(ctx, schemas.Record{Topic: schemas.Models, Key: []byte(m.ID), Value: value}); err != nil {
		return fail(err)
	}
	return first, true, nil
}

// sameModel tells whether an entry stands for m: for its file and classes, and for all else that is said of it.
func sameModel(entry, m schemas.Model, spec ModelSpec) bool {
	said := func(was, is string) bool { return is == "" || is == was }
	return entry.SHA256 == m.SHA256 && slices.Equal(entry.Classes, m.Classes) &&
		(reflect.DeepEqual(spec.Decode, schemas.Decode{}) || reflect.DeepEqual(entry.Decode, m.Decode)) &&
		said(entry.LabelSpace, spec.LabelSpace) && said(entry.License, spec.License) &&
		(len(spec.Metrics) == 0 || maps.Equal(entry.Metrics, spec.Metrics))
}

// nextVersion is that of the entry which says the same under m's name, or the number after the highest.
func nextVersion(r prelabel.Registry, m schemas.Model, spec ModelSpec) string {
	last := 0
	for id, entry := range r.Models {
		if entry.Name != m.Name {
			continue
		}
		if _, removed := r.Removed[id]; !removed && sameModel(entry, m, spec) {
			return entry.Version
		}
		if n, err := strconv.Atoi(entry.Version); err == nil {
			last = max(last, n)
		}
	}
	return strconv.Itoa(last + 1)
}
