package taxonomy

import (
	"cmp"
	"fmt"
	"slices"
	"sync"

	"gleaner/schemas"
)

// Registry holds the taxonomies of a running system. It is safe for concurrent use; its zero value is empty, and knows no rules.
type Registry struct {
	rules func(dataset string) (schemas.DatasetRules, bool)

	mu    sync.RWMutex
	known []entry // the oldest first
}

type entry struct {
	taxonomy schemas.Taxonomy
	tree     *Tree
}

// NewRegistry makes an empty one. rules returns those in force for a dataset, which may name the taxonomy that counts, and say
// what classes mean that it does not map.
func NewRegistry(rules func(dataset string) (schemas.DatasetRules, bool)) *Registry {
	return &Registry{rules: rules}
}

func (r *Registry) rulesOf(dataset string) (rules schemas.DatasetRules) {
	if r.rules != nil {
		rules, _ = r.rules(dataset)
	}
	return rules
}

// Put adds a taxonomy. One whose id is known changes nothing: entries are immutable.
func (r *Registry) Put(t schemas.Taxonomy) error {
	tree, err := Build(t)
	if err != nil {
		return fmt.Errorf("taxonomy %s: %w", t.ID, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if slices.ContainsFunc(r.known, func(e entry) bool { return e.taxonomy.ID == t.ID }) {
		return nil
	}
	r.known = append(r.known, entry{t, tree})
	slices.SortStableFunc(r.known, func(a, b entry) int {
		return cmp.Or(a.taxonomy.At.Compare(b.taxonomy.At), cmp.Compare(a.taxonomy.ID, b.taxonomy.ID))
	})
	return nil
}

// For is the taxonomy that a dataset's rules name, or else the newest that maps a label space of the dataset.
func (r *Registry) For(dataset string) (*Tree, bool) {
	id := r.rulesOf(dataset).Taxonomy
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, e := range slices.Backward(r.known) {
		if _, maps := e.tree.Space(dataset); e.taxonomy.ID == id || id == "" && maps {
			return e.tree, true
		}
	}
	return nil, false
}

// Path is that of the dataset's taxonomy (Tree); without one a class stands alone.
func (r *Registry) Path(dataset, class string) []string {
	tree, ok := r.For(dataset)
	if !ok {
		return []string{class}
	}
	return tree.Path(dataset, r.meaning(tree, dataset, class))
}

// Lineage is that of a class that a person gave to an object of a dataset (schemas.Object), "" where no taxonomy knows it.
func (r *Registry) Lineage(dataset, class string) string {
	tree, ok := r.For(dataset)
	if !ok {
		return ""
	}
	m, _ := tree.want(dataset, r.want(dataset, class))
	if m.Canonical == "" {
		return ""
	}
	return tree.lineage(m, m.Canonical)
}

// want is a class with what the dataset's rules say that it means.
func (r *Registry) want(dataset, class string) Want {
	for _, o := range r.rulesOf(dataset).Objects {
		if o.Class == class {
			return Want{class, o.Canonical}
		}
	}
	return Want{Class: class}
}

// meaning is the canonical class that a dataset's rules give to one of its classes where the taxonomy does not map it, else the
// class.
func (r *Registry) meaning(tree *Tree, dataset, class string) string {
	space, _ := tree.Space(dataset)
	if _, mapped := tree.mapped[space][class]; mapped {
		return class
	}
	return cmp.Or(r.want(dataset, class).Canonical, class)
}

// Annotated tells whether a dataset labels a class, its own or a canonical one, or kinds of it, as its rules want, else as the
// taxonomy maps; known is false where no taxonomy can tell.
func (r *Registry) Annotated(dataset, class string) (yes, known bool) {
	tree, ok := r.For(dataset)
	if !ok {
		return false, false
	}
	c, known := tree.Annotated(dataset, WantsOf(r.rulesOf(dataset)), class)
	return c != CoverageNo, known
}

// Unlabeled tells whether a dataset is known never to label a class, its own or a canonical one: such things are neither
// missing nor background.
func (r *Registry) Unlabeled(dataset, class string) bool {
	yes, known := r.Annotated(dataset, class)
	return known && !yes
}

// RulesOut tells whether a detection, though proposed as a super-class, is no thing of a class: the model told it apart from such
// things, since among the classes that it knows, by its own names, it has one for them and saw a sister of that. It is false where no
// taxonomy can tell.
func (r *Registry) RulesOut(dataset string, o schemas.Object, knows []string, class string) bool {
	tree, ok := r.For(dataset)
	space, own, translated := o.Origin()
	if !ok || !translated {
		return false
	}
	path := tree.Path(dataset, r.meaning(tree, dataset, class))
	at := slices.IndexFunc(path, func(c string) bool { _, canonical := tree.nodes[c]; return canonical })
	return at >= 0 && tree.tellsApart(space, knows, own, path[at])
}
