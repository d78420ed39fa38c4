package taxonomy

import (
	"cmp"

	"gleaner/schemas"
)

// Coverage is how much of a canonical class the labels of a dataset cover.
type Coverage string

// The coverages.
const (
	CoverageYes    Coverage = "yes"    // a thing of that class without a label is background, or a mistake
	CoveragePartly Coverage = "partly" // kinds of it are labeled, others may not be
	CoverageNo     Coverage = "no"     // whether there are such things is unknown: the dataset never labels them
)

// Annotated tells whether a dataset labels a class, its own or a canonical one, when it wants some classes, all that the taxonomy
// maps of it if none are named. ok is false where the taxonomy cannot tell, since it knows too little of the dataset, of a wanted
// class or of this one.
func (t *Tree) Annotated(dataset string, wanted []Want, class string) (c Coverage, ok bool) {
	space, ok := t.Space(dataset)
	labels := t.mapped[space]
	if len(wanted) > 0 {
		ok, labels = true, make(map[string]schemas.ClassMapping, len(wanted))
		for _, w := range wanted {
			m, known := t.want(dataset, w)
			labels[w.Class], ok = m, ok && known
		}
	}
	if m, own := labels[class]; own && m.Relation != schemas.RelationIgnore {
		return CoverageYes, true
	}
	own := t.mapped[space][class]
	canonical := cmp.Or(own.Canonical, class)
	if _, known := t.nodes[canonical]; !known {
		return CoverageNo, false
	}
	c = CoverageNo
	for _, m := range labels {
		within := t.within(canonical, m.Canonical)
		switch {
		case m.Relation == schemas.RelationIgnore:
		case within && m.Relation != schemas.RelationNarrower && own.Relation != schemas.RelationBroader:
			return CoverageYes, true
		case within || t.within(m.Canonical, canonical):
			c = CoveragePartly
		}
	}
	return c, ok || c != CoverageNo
}
