package schemas

import "time"

// Taxonomy is an immutable registry entry on the taxonomies topic: a tree of canonical classes, and how datasets' classes map to it.
type Taxonomy struct {
	ID       string         `json:"id"` // name@version
	Name     string         `json:"name"`
	Version  string         `json:"version"`
	Nodes    []TaxonomyNode `json:"nodes"`
	Mappings []ClassMapping `json:"mappings"`
	At       time.Time      `json:"at"`
}

// TaxonomyNode is one canonical class; Parent is empty for a root.
type TaxonomyNode struct {
	Name   string `json:"name"`
	Parent string `json:"parent,omitempty"`
}

// ClassMapping relates a class of a dataset version to a canonical class.
type ClassMapping struct {
	Dataset   string   `json:"dataset"` // dataset@version
	Class     string   `json:"class"`
	Canonical string   `json:"canonical"`
	Relation  Relation `json:"relation"`
}

// Relation is how a dataset's class stands to its canonical class.
type Relation string

// The relations.
const (
	RelationExact    Relation = "exact"
	RelationNarrower Relation = "narrower"
	RelationBroader  Relation = "broader"
	RelationIgnore   Relation = "ignore"
)
