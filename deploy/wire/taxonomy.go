package wire

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"gleaner/schemas"
	"gleaner/stages/prelabel"
	"gleaner/stages/taxonomy"
)

// ApplyTaxonomy registers a taxonomy under a name. When it is registered with the same content, that entry is returned and
// made is false.
func (c *Connections) ApplyTaxonomy(ctx context.Context, name string, t schemas.Taxonomy) (entry schemas.Taxonomy, made bool, err error) {
	if _, err := taxonomy.Build(t); err != nil {
		return entry, false, err
	}
	if entry, err = taxonomy.Identify(name, t); err != nil {
		return entry, false, err
	}
	known, err := c.Taxonomies(ctx, name)
	if err != nil {
		return entry, false, err
	}
	for _, k := range known {
		if k.ID == entry.ID {
			return k, false, nil
		}
	}
	entry.At = time.Now().UTC().Truncate(time.Microsecond)
	value, err := schemas.CanonicalJSON(entry)
	if err != nil {
		return entry, false, fmt.Errorf("taxonomy %s: %w", entry.ID, err)
	}
	if err := c.Kafka.Append(ctx, schemas.Record{Topic: schemas.Taxonomies, Key: []byte(entry.ID), Value: value}); err != nil {
		return entry, false, fmt.Errorf("taxonomy %s: register: %w", entry.ID, err)
	}
	return entry, true, nil
}

// Taxonomies lists the registered taxonomies of a name, or all where it is empty, the oldest first.
func (c *Connections) Taxonomies(ctx context.Context, name string) ([]schemas.Taxonomy, error) {
	byID := map[string]schemas.Taxonomy{}
	err := c.Kafka.Scan(ctx, schemas.Taxonomies, func(r schemas.Record) error {
		t, err := decodeTaxonomy(r)
		if _, ok := byID[t.ID]; err == nil && !ok && (name == "" || t.Name == name) {
			byID[t.ID] = t
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("taxonomies: %w", err)
	}
	list := make([]schemas.Taxonomy, 0, len(byID))
	for _, t := range byID {
		list = append(list, t)
	}
	slices.SortFunc(list, func(a, b schemas.Taxonomy) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) })
	return list, nil
}

func decodeTaxonomy(r schemas.Record) (t schemas.Taxonomy, err error) {
	if err = json.Unmarshal(r.Value, &t); err != nil {
		err = fmt.Errorf("%s offset %d: %w", r.Topic, r.Offset, err)
	}
	return t, err
}

// Taxonomy returns the registered taxonomy of name@version, or the newest of a name.
func (c *Connections) Taxonomy(ctx context.Context, id string) (schemas.Taxonomy, error) {
	name, version, _ := strings.Cut(id, "@")
	known, err := c.Taxonomies(ctx, name)
	if err != nil {
		return schemas.Taxonomy{}, err
	}
	for _, t := range slices.Backward(known) {
		if version == "" || t.ID == id {
			return t, nil
		}
	}
	return schemas.Taxonomy{}, fmt.Errorf("taxonomy %q is not registered: `gleaner taxonomy list` lists them", id)
}

// TaxonomyOf returns the taxonomy that a dataset's rules name, or else the newest registered one that maps a label space of it.
func (c *Connections) TaxonomyOf(ctx context.Context, dataset string) (*taxonomy.Tree, bool, error) {
	r, err := c.taxonomyRegistry(ctx)
	if err != nil {
		return nil, false, err
	}
	tree, ok := r.For(dataset)
	return tree, ok, nil
}

// PlannableModels are the registered models, in order, for taxonomy.Tree.Plan of a dataset, by name or as name@version: of each name
// the versions that serve the dataset, else the newest. What no label space is known of cannot be planned with.
func (c *Connections) PlannableModels(ctx context.Context, dataset string) ([]taxonomy.Model, error) {
	r, err := c.Registry(ctx)
	if err != nil {
		return nil, err
	}
	name, _, _ := strings.Cut(dataset, "@")
	return plannable(r, name), nil
}

func plannable(r prelabel.Registry, dataset string) []taxonomy.Model {
	byName := map[string][]schemas.Model{}
	for id, m := range r.Models {
		if _, removed := r.Removed[id]; !removed {
			byName[m.Name] = append(byName[m.Name], m)
		}
	}
	serving := r.Serves(dataset).All()
	var models []taxonomy.Model
	for _, versions := range byName {
		planned := slices.DeleteFunc(slices.Clone(versions), func(m schemas.Model) bool { return !slices.Contains(serving, m.ID) })
		if len(planned) == 0 {
			planned = append(planned, slices.MaxFunc(versions, compareVersions))
		}
		for _, m := range planned {
			models = append(models, taxonomy.ModelOf(m))
		}
	}
	slices.SortFunc(models, func(a, b taxonomy.Model) int { return cmp.Compare(a.ID, b.ID) })
	return models
}

// compareVersions orders versions of a model by their numbers, as AddModel counts them; those that are none come first, by time.
func compareVersions(a, b schemas.Model) int {
	number := func(m schemas.Model) int { n, _ := strconv.Atoi(m.Version); return n }
	return cmp.Or(cmp.Compare(number(a), number(b)), a.At.Compare(b.At), cmp.Compare(a.ID, b.ID))
}

// CheckServed tells which models that serve a dataset cannot give it what its rules want, by the taxonomy that these name, and why:
// an error for each model. schemas.AnyDataset are all datasets with rules and without models of their own.
func (c *Connections) CheckServed(ctx context.Context, dataset string) ([]error, error) {
	r, err := c.Registry(ctx)
	if err != nil {
		return nil, err
	}
	trees, err := c.taxonomyRegistry(ctx)
	if err != nil {
		return nil, err
	}
	of := dataset
	if dataset == schemas.AnyDataset {
		of = ""
	}
	inForce, err := c.rulesInForce(ctx, of)
	if err != nil {
		return nil, err
	}
	var found []error
	for _, name := range slices.Sorted(maps.Keys(inForce)) {
		rules := inForce[name]
		tree, ok := trees.For(name)
		if rules.Taxonomy == "" || !ok || of == "" && len(r.Serving[name].Models) > 0 {
			continue
		}
		for _, id := range r.Serves(name).All() {
			if err := tree.CheckModel(taxonomy.ModelOf(r.Models[id]), name, taxonomy.WantsOf(rules)); err != nil {
				found = append(found, fmt.Errorf("dataset %s: %w", name, err))
			}
		}
	}
	return found, nil
}

// taxonomyRegistry holds what is registered now, by the rules in force now.
func (c *Connections) taxonomyRegistry(ctx context.Context) (*taxonomy.Registry, error) {
	inForce, err := c.rulesInForce(ctx, "")
	if err != nil {
		return nil, err
	}
	r := taxonomy.NewRegistry(func(dataset string) (schemas.DatasetRules, bool) {
		rules, ok := inForce[dataset]
		return rules, ok
	})
	known, err := c.Taxonomies(ctx, "")
	for _, t := range known {
		c.know(r, t)
	}
	return r, err
}

// know puts a taxonomy into a registry, or says why it is of no use to this binary.
func (c *Connections) know(r *taxonomy.Registry, t schemas.Taxonomy) {
	if err := r.Put(t); err != nil {
		c.Log.Error("a taxonomy is not usable here", "error", err)
		return
	}
	c.Log.Info("a taxonomy is known", "taxonomy", t.ID)
}

// followTaxonomies keeps a registry at what the taxonomies topic says (followRegistry).
func (c *Connections) followTaxonomies(ctx context.Context, into *taxonomy.Registry) error {
	return c.followRegistry(ctx, schemas.Taxonomies, func(r schemas.Record) {
		t, err := decodeTaxonomy(r)
		if err != nil {
			c.Log.Error("a record of the taxonomies is left out", "error", err)
			return
		}
		c.know(into, t)
	})
}
