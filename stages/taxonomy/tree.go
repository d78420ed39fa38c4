package taxonomy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"gleaner/schemas"
)

// Tree is a taxonomy that holds together, indexed. It is immutable and safe for concurrent use.
type Tree struct {
	id       string
	nodes    map[string]schemas.TaxonomyNode
	children map[string][]string                        // in the taxonomy's order; the roots under ""
	spaces   []string                                   // label spaces, in the order of their first mappings
	mapped   map[string]map[string]schemas.ClassMapping // by label space and class
	classes  map[string][]string                        // of each label space, in the taxonomy's order
}

// Build indexes a taxonomy. The error is Problems, without lines.
func Build(t schemas.Taxonomy) (*Tree, error) {
	if problems := check(t, positions{}); len(problems) > 0 {
		return nil, problems
	}
	tree := &Tree{
		id: t.ID, nodes: map[string]schemas.TaxonomyNode{}, children: map[string][]string{},
		mapped: map[string]map[string]schemas.ClassMapping{}, classes: map[string][]string{},
	}
	for _, n := range t.Nodes {
		tree.nodes[n.Name] = n
		tree.children[n.Parent] = append(tree.children[n.Parent], n.Name)
	}
	for _, m := range t.Mappings {
		if tree.mapped[m.Dataset] == nil {
			tree.mapped[m.Dataset] = map[string]schemas.ClassMapping{}
			tree.spaces = append(tree.spaces, m.Dataset)
		}
		tree.mapped[m.Dataset][m.Class] = m
		tree.classes[m.Dataset] = append(tree.classes[m.Dataset], m.Class)
	}
	return tree, nil
}

// Identify names a taxonomy: its version is the first 12 hex digits of the SHA-256 of its nodes and mappings in canonical
// JSON, so that the same content is the same version.
func Identify(name string, t schemas.Taxonomy) (schemas.Taxonomy, error) {
	if why := badName(name); why != "" || strings.ContainsAny(name, "@ \t") {
		return t, fmt.Errorf("taxonomy %q: a name is one word without @", name)
	}
	content, err := schemas.CanonicalJSON(schemas.Taxonomy{Nodes: t.Nodes, Mappings: t.Mappings})
	if err != nil {
		return t, fmt.Errorf("taxonomy %s: %w", name, err)
	}
	sum := sha256.Sum256(content)
	t.Name, t.Version = name, hex.EncodeToString(sum[:6])
	t.ID = t.Name + "@" + t.Version
	return t, nil
}

// ID is the taxonomy's name@version.
func (t *Tree) ID() string { return t.id }

// Children are the classes right below one, in the taxonomy's order; those of "" are the roots.
func (t *Tree) Children(class string) []string { return t.children[class] }

// Ancestors are the classes above one, its parent first; none of a root or of a class that there is not.
func (t *Tree) Ancestors(class string) []string {
	var out []string
	for at := t.nodes[class].Parent; at != ""; at = t.nodes[at].Parent {
		out = append(out, at)
	}
	return out
}

// Path lists a class, of a dataset or canonical, and the canonical ones above it, the nearest first. A class that is the same as a
// canonical one goes by that one's name; one that no canonical class is known to hold stands alone.
func (t *Tree) Path(dataset, class string) []string {
	space, _ := t.Space(dataset)
	switch m := t.mapped[space][class]; m.Relation {
	case schemas.RelationExact:
		return append([]string{m.Canonical}, t.Ancestors(m.Canonical)...)
	case schemas.RelationNarrower:
		return append([]string{class, m.Canonical}, t.Ancestors(m.Canonical)...)
	case schemas.RelationBroader, schemas.RelationIgnore:
		return []string{class}
	}
	return append([]string{class}, t.Ancestors(class)...)
}

// Descendants are the classes below one, depth first in the taxonomy's order.
func (t *Tree) Descendants(class string) []string {
	var out []string
	for _, c := range t.children[class] {
		out = append(append(out, c), t.Descendants(c)...)
	}
	return out
}

// Common is the nearest class that holds both, which may be one of them; false where nothing does.
func (t *Tree) Common(a, b string) (string, bool) {
	for at := a; at != ""; at = t.nodes[at].Parent {
		if t.within(b, at) {
			return at, true
		}
	}
	return "", false
}

// within tells whether a class is another or lies below it.
func (t *Tree) within(class, super string) bool {
	for at := class; at != ""; at = t.nodes[at].Parent {
		if at == super {
			return true
		}
	}
	return false
}

// tellsApart tells whether a class excludes a canonical one for a model that knows some of its label space: neither holds the other,
// and the model knows another class that holds the canonical one.
func (t *Tree) tellsApart(space string, knows []string, class, canonical string) bool {
	own := t.mapped[space][class]
	if own.Canonical == "" || own.Relation == schemas.RelationBroader || t.within(own.Canonical, canonical) || t.within(canonical, own.Canonical) {
		return false
	}
	for _, known := range knows {
		m := t.mapped[space][known]
		holds := m.Relation == schemas.RelationExact || m.Relation == schemas.RelationBroader
		if holds && t.within(canonical, m.Canonical) && !t.within(own.Canonical, m.Canonical) {
			return true
		}
	}
	return false
}

// depth is the number of ancestors.
func (t *Tree) depth(class string) int { return len(t.Ancestors(class)) }

// Space is the label space of a dataset: of name@version that one, of a name alone the last of its versions in the
// taxonomy's order. It is false where the taxonomy maps none.
func (t *Tree) Space(dataset string) (string, bool) {
	for _, space := range slices.Backward(t.spaces) {
		if name, _, _ := strings.Cut(space, "@"); space == dataset || name == dataset {
			return space, true
		}
	}
	return "", false
}

// datasets are the names of those that have label spaces here.
func (t *Tree) datasets() (out []string) {
	for _, space := range t.spaces {
		if name, _, _ := strings.Cut(space, "@"); !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// Unmapped are the classes of a label space that the taxonomy says nothing about, in the order given.
func (t *Tree) Unmapped(space string, classes []string) []string {
	var out []string
	for _, c := range classes {
		if _, ok := t.mapped[space][c]; !ok {
			out = append(out, c)
		}
	}
	return out
}
