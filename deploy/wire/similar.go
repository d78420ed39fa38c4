package wire

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"gleaner/connectors/clickhouse"
	"gleaner/schemas"
)

// Likeness says what to find neighbors of, and where.
type Likeness struct {
	Sample schemas.SampleID
	Object string // of the sample; empty: its whole image, compared with images
	Model  string // name or name@version; empty: the one that embedded the sample last
	Within string // dataset; empty: all
	Count  int    // 1 to clickhouse.MaxSimilar
}

// Neighbor is an image or object, with how far it is from what was asked for.
type Neighbor struct {
	clickhouse.Embedding
	UniqueID string         `json:"unique_id,omitempty"`
	Classes  []string       `json:"classes"` // of the image's objects, each once, or of the object; as the catalog has them now
	Sample   schemas.Sample `json:"-"`       // the zero value where the catalog has none
}

// Neighborhood is what was asked for, itself at distance 0, and its neighbors, nearest first.
type Neighborhood struct {
	Of        Neighbor   `json:"of"`
	Neighbors []Neighbor `json:"neighbors"`
	Compared  uint64     `json:"compared"` // samples searched that the model of Of has embedded: images, or objects as Of is
	Embedded  uint64     `json:"embedded"` // samples searched that any model has
}

// Similar finds what looks most like a sample, or an object of it, to one model. Errors say what is missing.
func (c *Connections) Similar(ctx context.Context, l Likeness) (Neighborhood, error) {
	found, err := c.DB.Embeddings(ctx, l.Sample)
	if err != nil {
		return Neighborhood{}, fmt.Errorf("similar: %w", err)
	}
	if len(found) == 0 {
		_, known, err := c.DB.Sample(ctx, l.Sample)
		if err == nil && !known {
			err = fmt.Errorf("the catalog has no sample %s: it never came, was rejected, or was erased", l.Sample)
		}
		if err == nil {
			err = fmt.Errorf("sample %s has no embedding: prelabel has not come to it yet, no model serves it, or prelabel.embeddings is off", l.Sample)
		}
		return Neighborhood{}, fmt.Errorf("similar: %w", err)
	}
	of, err := l.choose(found)
	if err != nil {
		return Neighborhood{}, fmt.Errorf("similar: sample %s: %w", l.Sample, err)
	}
	near, err := c.DB.Similar(ctx, of, l.Within, l.Count)
	if err != nil {
		return Neighborhood{}, fmt.Errorf("similar: %w", err)
	}
	n := Neighborhood{Neighbors: make([]Neighbor, len(near))}
	if n.Compared, n.Embedded, err = c.DB.Reach(ctx, of, l.Within); err != nil {
		return n, fmt.Errorf("similar: %w", err)
	}
	if n.Of, err = c.neighbor(ctx, of); err != nil {
		return n, fmt.Errorf("similar: %w", err)
	}
	for i, e := range near {
		if n.Neighbors[i], err = c.neighbor(ctx, e); err != nil {
			return n, fmt.Errorf("similar: %w", err)
		}
	}
	return n, nil
}

// choose returns the embedding that is meant, the latest where several are.
func (l Likeness) choose(found []clickhouse.Embedding) (clickhouse.Embedding, error) {
	var models, objects []string
	for _, e := range found {
		models = append(models, e.Model)
		if name, _, _ := strings.Cut(e.Model, "@"); l.Model != "" && l.Model != e.Model && l.Model != name {
			continue
		}
		if e.ObjectID == l.Object {
			return e, nil
		}
		objects = append(objects, e.ObjectID)
	}
	distinct := func(names []string) string {
		slices.Sort(names)
		return strings.Join(slices.DeleteFunc(slices.Compact(names), func(s string) bool { return s == "" }), ", ")
	}
	if len(objects) == 0 {
		return clickhouse.Embedding{}, fmt.Errorf("model %s has not embedded it, but %s has", l.Model, distinct(models))
	}
	if names := distinct(objects); names != "" {
		return clickhouse.Embedding{}, fmt.Errorf("object %q has no embedding; those that prelabel found have: %s", l.Object, names)
	}
	return clickhouse.Embedding{}, fmt.Errorf("object %q has no embedding, the image alone has one", l.Object)
}

func (c *Connections) neighbor(ctx context.Context, e clickhouse.Embedding) (Neighbor, error) {
	s, _, err := c.DB.Sample(ctx, e.SampleID)
	n := Neighbor{Embedding: e, UniqueID: s.UniqueID, Classes: []string{}, Sample: s}
	for _, o := range s.Objects {
		if (e.ObjectID == "" || e.ObjectID == o.ID) && !slices.Contains(n.Classes, o.Class) {
			n.Classes = append(n.Classes, o.Class)
		}
	}
	return n, err
}
