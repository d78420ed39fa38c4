package rules

import (
	"context"
	"maps"
	"slices"
	"sync"

	"gleaner/schemas"
	"gleaner/stages/analysis/decide"
)

// Registry holds the rules in force of every dataset. The zero value knows none; it is safe for concurrent use, and what changes
// counts from the next sample on.
type Registry struct {
	mu   sync.RWMutex
	sets map[string]*Set
}

// Put compiles rules and puts them in force. Those before stay when it fails.
func (r *Registry) Put(rules schemas.DatasetRules) error {
	s, err := Compile(rules)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sets == nil {
		r.sets = map[string]*Set{}
	}
	r.sets[rules.Dataset] = s
	return nil
}

func (r *Registry) of(dataset string) *Set {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.sets[dataset]
}

// Rules returns the rules of a dataset, and whether it has any.
func (r *Registry) Rules(dataset string) (schemas.DatasetRules, bool) {
	if s := r.of(dataset); s != nil {
		return s.rules, true
	}
	return schemas.DatasetRules{}, false
}

// Decisions returns the rules from scores to actions of a dataset, and the id of the entry that has them; nil without any.
func (r *Registry) Decisions(dataset string) (set *decide.Set, id string) {
	if s := r.of(dataset); s != nil {
		return s.actions, s.rules.ID
	}
	return nil, ""
}

// Datasets lists the datasets that have rules, ordered.
func (r *Registry) Datasets() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Sorted(maps.Keys(r.sets))
}

// Check is Set.Check by the rules of the sample's dataset; without any, nothing is violated.
func (r *Registry) Check(ctx context.Context, sample *schemas.Sample, objects []schemas.Object) ([]schemas.Violation, error) {
	if s := r.of(sample.Dataset); s != nil {
		return s.Check(ctx, sample, objects)
	}
	return nil, nil
}

// Keep is Set.Keep by the rules of the sample's dataset; without any, all proposals are kept.
func (r *Registry) Keep(ctx context.Context, sample *schemas.Sample, proposals []schemas.Object) ([]schemas.Object, error) {
	if s := r.of(sample.Dataset); s != nil {
		return s.Keep(ctx, sample, proposals)
	}
	return proposals, nil
}
