package wire

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"gleaner/schemas"
	"gleaner/stages/dataset"
)

// MakeVersion makes a version of a dataset's labels as they stand and registers it. When the newest version is the same,
// that one is returned and made is false.
func (c *Connections) MakeVersion(ctx context.Context, name, note string) (v schemas.DatasetVersion, made bool, err error) {
	v, members, known, err := c.buildVersion(ctx, name)
	if err != nil || known {
		return v, false, err
	}
	err = c.registerVersion(ctx, &v, members, note)
	return v, err == nil, err
}

// buildVersion makes a version of a dataset's labels as they stand, about 300 bytes a sample, and writes nothing. known is true where it
// is registered.
func (c *Connections) buildVersion(ctx context.Context, name string) (v schemas.DatasetVersion, members []byte, known bool, err error) {
	versions, err := c.Versions(ctx, name)
	if err != nil {
		return v, nil, false, err
	}
	var lines bytes.Buffer
	if v, err = dataset.Build(name, c.Config.Splits, c.DB.Labels(ctx, name), &lines); err != nil {
		return v, nil, false, err
	}
	for _, k := range versions {
		if k.ID == v.ID {
			return k, lines.Bytes(), true, nil
		}
	}
	if len(versions) > 0 {
		v.Previous = versions[len(versions)-1].ID
	}
	return v, lines.Bytes(), false, nil
}

// registerVersion puts a version on its topic, and its members into the blob store first.
func (c *Connections) registerVersion(ctx context.Context, v *schemas.DatasetVersion, members []byte, note string) error {
	v.Note, v.At, v.Members.Key = note, time.Now().UTC().Truncate(time.Microsecond), schemas.MembersKey(v.ID)
	if err := c.Blobs.Put(ctx, v.Members.Key, members); err != nil {
		return fmt.Errorf("dataset version %s: members: %w", v.ID, err)
	}
	value, err := schemas.CanonicalJSON(v)
	if err != nil {
		return fmt.Errorf("dataset version %s: %w", v.ID, err)
	}
	if err := c.Kafka.Append(ctx, schemas.Record{Topic: schemas.Datasets, Key: []byte(v.ID), Value: value}); err != nil {
		return fmt.Errorf("dataset version %s: register: %w", v.ID, err)
	}
	return nil
}

// Versions lists the registered versions of a dataset, or of all where name is empty, the oldest first.
func (c *Connections) Versions(ctx context.Context, name string) ([]schemas.DatasetVersion, error) {
	byID := map[string]schemas.DatasetVersion{}
	err := c.Kafka.Scan(ctx, schemas.Datasets, func(r schemas.Record) error {
		var v struct {
			schemas.DatasetEntry
			schemas.DatasetVersion
		}
		if err := json.Unmarshal(r.Value, &v); err != nil {
			return fmt.Errorf("%s offset %d: %w", r.Topic, r.Offset, err)
		}
		if _, ok := byID[v.ID]; !ok && v.Kind == "" && (name == "" || v.Dataset == name) {
			byID[v.ID] = v.DatasetVersion
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("dataset versions: %w", err)
	}
	versions := make([]schemas.DatasetVersion, 0, len(byID))
	for _, v := range byID {
		versions = append(versions, v)
	}
	slices.SortFunc(versions, func(a, b schemas.DatasetVersion) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) })
	return versions, nil
}

// DiffVersions compares two registered versions by their ids.
func (c *Connections) DiffVersions(ctx context.Context, from, to string) (dataset.Diff, error) {
	versions, err := c.Versions(ctx, "")
	if err != nil {
		return dataset.Diff{}, err
	}
	var found [2]schemas.DatasetVersion
	var members [2][]byte
	for i, id := range []string{from, to} {
		at := slices.IndexFunc(versions, func(v schemas.DatasetVersion) bool { return v.ID == id })
		if at < 0 {
			return dataset.Diff{}, fmt.Errorf("dataset version %q is not registered: `gleaner dataset list` lists them", id)
		}
		found[i] = versions[at]
		if members[i], err = c.Blobs.Get(ctx, found[i].Members.Key); err != nil {
			return dataset.Diff{}, fmt.Errorf("members of %s: %w", id, err)
		}
	}
	if found[0].Dataset != found[1].Dataset {
		return dataset.Diff{}, errors.New("the two versions are of different datasets")
	}
	return dataset.Compare(found[0], found[1], bytes.NewReader(members[0]), bytes.NewReader(members[1]))
}
