package rules

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"gleaner/schemas"
)

// Change is one difference between two sets of rules.
type Change struct {
	What string `json:"what"`           // "class car: min_size", "predicate flat", "taxonomy"
	From string `json:"from,omitempty"` // canonical JSON; empty: added
	To   string `json:"to,omitempty"`   // empty: removed
}

// Compare says what changes when to takes the place of from, by class and predicate whatever their order, in order of names.
func Compare(from, to schemas.DatasetRules) ([]Change, error) {
	a, err := parts(from)
	if err != nil {
		return nil, err
	}
	b, err := parts(to)
	if err != nil {
		return nil, err
	}
	changes := []Change{}
	for _, what := range union(a, b) {
		was, is := a[what], b[what]
		if was == nil || is == nil {
			changes = append(changes, Change{what, string(was[""]), string(is[""])})
			continue
		}
		for _, field := range union(was, is) {
			if field != "" && string(was[field]) != string(is[field]) {
				changes = append(changes, Change{what + ": " + field, string(was[field]), string(is[field])})
			}
		}
	}
	return changes, nil
}

func union[V any](a, b map[string]V) []string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return slices.Sorted(maps.Keys(all))
}

// fields are the canonical JSON of each field of a part; "" is all of it.
type fields map[string]json.RawMessage

// parts are what rules consist of by what they are about.
func parts(r schemas.DatasetRules) (map[string]fields, error) {
	out := map[string]fields{}
	put := func(what string, v any) error {
		whole, err := schemas.CanonicalJSON(v)
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		f := fields{}
		if err := json.Unmarshal(whole, &f); err != nil {
			f = fields{"is": whole} // no object
		}
		f[""] = whole
		out[what] = f
		return nil
	}
	if r.Taxonomy != "" {
		if err := put("taxonomy", r.Taxonomy); err != nil {
			return nil, err
		}
	}
	for what, share := range map[string]float64{"target_quality": r.TargetQuality, "audit_share": r.AuditShare} {
		if share != 0 {
			if err := put(what, share); err != nil {
				return nil, err
			}
		}
	}
	if r.AcceptBeforeAudits {
		if err := put("accept_before_audits", true); err != nil {
			return nil, err
		}
	}
	for _, o := range r.Objects {
		if err := put("class "+o.Class, o); err != nil {
			return nil, err
		}
	}
	for _, p := range r.Predicates {
		if err := put("predicate "+p.Name, p); err != nil {
			return nil, err
		}
	}
	for _, p := range r.Image {
		if err := put("image predicate "+p.Name, p); err != nil {
			return nil, err
		}
	}
	for _, d := range r.Decisions {
		if err := put("decision "+d.Name, d); err != nil {
			return nil, err
		}
	}
	return out, nil
}
