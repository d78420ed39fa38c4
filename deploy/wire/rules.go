package wire

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"gleaner/schemas"
	"gleaner/stages/rules"
	"gleaner/stages/taxonomy"
)

// ApplyRules registers rules and puts them in force. When they are in force already, the entry that says so is returned and
// changed is false.
func (c *Connections) ApplyRules(ctx context.Context, set *rules.Set) (entry schemas.DatasetRules, changed bool, err error) {
	if entry, err = set.Rules().Identified(time.Now()); err != nil {
		return entry, false, err
	}
	known, err := c.Rules(ctx, entry.Dataset)
	if err != nil {
		return entry, false, err
	}
	if len(known) > 0 && known[len(known)-1].ID == entry.ID {
		return known[len(known)-1], false, nil
	}
	value, err := schemas.CanonicalJSON(entry)
	if err != nil {
		return entry, false, fmt.Errorf("rules %s: %w", entry.ID, err)
	}
	if err := c.Kafka.Append(ctx, schemas.Record{Topic: schemas.Datasets, Key: entry.Key(), Value: value}); err != nil {
		return entry, false, fmt.Errorf("rules %s: register: %w", entry.ID, err)
	}
	return entry, true, nil
}

// CheckRules tells why the taxonomy that rules name cannot translate models' classes to those that they want: it is not registered,
// or does not know one.
func (c *Connections) CheckRules(ctx context.Context, r schemas.DatasetRules) error {
	if r.Taxonomy == "" {
		return nil
	}
	t, err := c.Taxonomy(ctx, r.Taxonomy)
	if err != nil {
		return fmt.Errorf("rules of dataset %s: %w", r.Dataset, err)
	}
	tree, err := taxonomy.Build(t)
	if err != nil {
		return fmt.Errorf("rules of dataset %s: taxonomy %s: %w", r.Dataset, t.ID, err)
	}
	if err := tree.CheckWanted(r.Dataset, taxonomy.WantsOf(r)); err != nil {
		return fmt.Errorf("rules of dataset %s: %w", r.Dataset, err)
	}
	return nil
}

// Rules lists the registered rules of a dataset, or of all where name is empty: each version once, the one in force of each
// dataset last.
func (c *Connections) Rules(ctx context.Context, name string) ([]schemas.DatasetRules, error) {
	var order []string
	byID := map[string]schemas.DatasetRules{}
	err := c.Kafka.Scan(ctx, schemas.Datasets, func(r schemas.Record) error {
		entry, ok, err := decodeRules(r)
		if err != nil || !ok || name != "" && entry.Dataset != name {
			return err
		}
		order = append(order, entry.ID)
		byID[entry.ID] = entry
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("rules of datasets: %w", err)
	}
	list := make([]schemas.DatasetRules, 0, len(byID))
	for i, id := range order {
		if !slices.Contains(order[i+1:], id) {
			list = append(list, byID[id])
		}
	}
	return list, nil
}

// RulesInForce returns the rules of a dataset, zero where it has none.
func (c *Connections) RulesInForce(ctx context.Context, dataset string) (schemas.DatasetRules, error) {
	inForce, err := c.rulesInForce(ctx, dataset)
	return inForce[dataset], err
}

// rulesInForce are the rules in force by dataset: of one, or of all where name is empty.
func (c *Connections) rulesInForce(ctx context.Context, name string) (map[string]schemas.DatasetRules, error) {
	entries, err := c.Rules(ctx, name)
	inForce := map[string]schemas.DatasetRules{}
	for _, e := range entries {
		inForce[e.Dataset] = e
	}
	return inForce, err
}

// decodeRules reads an entry of the datasets topic; ok is false where it is of another kind.
func decodeRules(r schemas.Record) (entry schemas.DatasetRules, ok bool, err error) {
	var kind schemas.DatasetEntry
	if err := json.Unmarshal(r.Value, &kind); err != nil {
		return entry, false, fmt.Errorf("%s offset %d: %w", r.Topic, r.Offset, err)
	}
	if kind.Kind != schemas.KindRules {
		return entry, false, nil
	}
	if err := json.Unmarshal(r.Value, &entry); err != nil {
		return entry, false, fmt.Errorf("%s offset %d: %w", r.Topic, r.Offset, err)
	}
	return entry, true, nil
}

// followRules keeps a registry at what the datasets topic says (followRegistry).
func (c *Connections) followRules(ctx context.Context, into *rules.Registry) error {
	return c.followRegistry(ctx, schemas.Datasets, func(r schemas.Record) {
		entry, ok, err := decodeRules(r)
		if err == nil && ok {
			err = into.Put(entry)
		}
		switch {
		case err != nil:
			c.Log.Error("rules of a dataset are not usable here: those before stay in force", "key", string(r.Key), "error", err)
		case ok:
			c.Log.Info("rules of a dataset are in force", "rules", entry.ID)
		}
	})
}
