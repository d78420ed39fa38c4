package schemas

import "time"

// Taxonomy is an immutable registry entry on the taxonomies topic: a tree of canonical classes, and how datasets' classes map to it.
type Taxonomy struct {
	ID       string         `json:"id"` // name@version
	Name     string         `json:"name"`
	Version  string         `json:"version"`
	Nodes    []TaxonomyNode `json:"nodes"`
	Mappings []ClassMapping `json:"mappings"` // of the label spaces of one dataset, the last counts unless a version is named
	At       time.Time      `json:"at"`
}

// TaxonomyNode is one canonical class; Parent is empty for a root.
type TaxonomyNode struct {
	Name   string `json:"name"`
	Parent string `json:"parent,omitempty"`
}

// ClassMapping relates a class of a label space to a canonical class. Its key, dataset@version:class, never changes meaning:
// classes that come to mean something else are a new version of the label space. A model has the label space of what it
// was trained on.
type ClassMapping struct {
	Dataset   string   `json:"dataset"` // the label space, dataset@version
	Class     string   `json:"class"`
	Canonical string   `json:"canonical,omitempty"` // empty only where Relation is ignore
	Relation  Relation `json:"relation"`
}

// Key is the mapping's identity, dataset@version:class.
func (m ClassMapping) Key() string { return m.Dataset + ":" + m.Class }

// Relation is how a class of a label space, read first, stands to its canonical class: "police car" is narrower than car.
type Relation string

// The relations.
const (
	RelationExact    Relation = "exact"    // the same things
	RelationNarrower Relation = "narrower" // a kind of the canonical class that the tree does not name: all of it is canonical
	RelationBroader  Relation = "broader"  // all of the canonical class, and other things with it
	RelationIgnore   Relation = "ignore"   // nothing that the tree speaks of: neither an object nor background
)
