package taxonomy

import (
	"cmp"
	"fmt"
	"slices"
	"sync"

	"gleaner/schemas"
)

// Registry holds the taxonomies of a running system. It is safe for concurrent use; its zero value is empty.
type Registry struct {
	mu    sync.RWMutex
	known []entry // the oldest first
}

type entry struct {
	taxonomy schemas.Taxonomy
	tree     *Tree
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

// For is the taxonomy of an id, or where id is empty the newest that maps a label space of the dataset.
func (r *Registry) For(dataset, id string) (*Tree, bool) {
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
	if tree, ok := r.For(dataset, ""); ok {
		return tree.Path(dataset, class)
	}
	return []string{class}
}

// Annotated tells whether a dataset labels a class, its own or a canonical one, or kinds of it; known is false where no taxonomy
// can tell.
func (r *Registry) Annotated(dataset, class string) (yes, known bool) {
	tree, ok := r.For(dataset, "")
	if !ok {
		return false, false
	}
	c, known := tree.Annotated(dataset, class)
	return c != CoverageNo, known
}

// Unlabeled tells whether a dataset is known never to label a class, its own or a canonical one: such things are neither
// missing nor background.
func (r *Registry) Unlabeled(dataset, class string) bool {
	yes, known := r.Annotated(dataset, class)
	return known && !yes
}
