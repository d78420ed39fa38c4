package wire

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"gleaner/schemas"
	"gleaner/stages/prelabel"
)

// ErrRegistered says that a model's id has another meaning already.
var ErrRegistered = errors.New("registered already, and entries never change: choose another version")

// ModelSpec is what a person says of a model file.
type ModelSpec struct {
	Name       string
	Version    string // empty: that of the same file under this name, or else the next number
	Classes    []string
	LabelSpace string
	License    string
}

// AddModel tries an ONNX file on the real runtime, stores it by its content and registers it. An entry that says the same is
// returned, with added false; under an id that means something else the error is ErrRegistered.
func (c *Connections) AddModel(ctx context.Context, data []byte, spec ModelSpec) (m schemas.Model, added bool, err error) {
	r, err := c.Registry(ctx)
	if err != nil {
		return m, false, err
	}
	digest := schemas.Hash(sha256.Sum256(data))
	version := spec.Version
	if version == "" {
		version = nextVersion(r, spec.Name, digest)
	}
	m = schemas.Model{
		ID: spec.Name + "@" + version, Classes: spec.Classes, LabelSpace: spec.LabelSpace, License: spec.License,
		File: schemas.BlobRef{Key: schemas.ModelKey(digest), Size: int64(len(data))}, At: now(),
	}
	tried, err := c.openModel(data, m)
	if err != nil {
		return m, false, err
	}
	seen := tried.Model()
	m.Name, m.Version, m.SHA256, m.Task, m.Decode, m.Classes = seen.Name, seen.Version, seen.SHA256, seen.Task, seen.Decode, seen.Classes
	if err := errors.Join(tried.Close(), m.Validate()); err != nil {
		return m, false, err
	}
	if err := c.Blobs.Put(ctx, m.File.Key, data); err != nil {
		return m, false, fmt.Errorf("model %s: file: %w", m.ID, err)
	}
	return c.register(ctx, m, r)
}

// register puts an entry on the topic. The blob store decides between racing writers, so that an id has one meaning for ever.
func (c *Connections) register(ctx context.Context, m schemas.Model, r prelabel.Registry) (schemas.Model, bool, error) {
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
	if _, removed := r.Removed[m.ID]; removed {
		return fail(fmt.Errorf("it was removed: choose another version"))
	}
	if !sameModel(first, m) {
		return first, false, fmt.Errorf("model %s: %w", m.ID, ErrRegistered)
	}
	if known {
		return first, false, nil
	}
	if err := c.Kafka.Append(ctx, schemas.Record{Topic: schemas.Models, Key: []byte(m.ID), Value: value}); err != nil {
		return fail(err)
	}
	return first, true, nil
}

// sameModel tells whether an entry stands for what is to be registered: of the file, its classes and its decoding, and of all
// else that is said.
func sameModel(first, m schemas.Model) bool {
	said := func(was, is string) bool { return is == "" || is == was }
	return first.SHA256 == m.SHA256 && slices.Equal(first.Classes, m.Classes) && first.Decode.Decoder == m.Decode.Decoder &&
		said(first.LabelSpace, m.LabelSpace) && said(first.License, m.License)
}

// nextVersion is the version that the file has under this name already, or the number after the highest.
func nextVersion(r prelabel.Registry, name string, file schemas.Hash) string {
	last := 0
	for _, id := range slices.Sorted(maps.Keys(r.Models)) {
		m := r.Models[id]
		_, removed := r.Removed[id]
		if m.Name != name {
			continue
		}
		if m.SHA256 == file && !removed {
			return m.Version
		}
		if n, err := strconv.Atoi(m.Version); err == nil {
			last = max(last, n)
		}
	}
	return strconv.Itoa(last + 1)
}
