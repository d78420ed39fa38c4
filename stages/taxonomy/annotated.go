package taxonomy

import "gleaner/schemas"

// Coverage is how much of a canonical class the labels of a dataset cover.
type Coverage string

// The coverages.
const (
	CoverageYes    Coverage = "yes"    // a thing of that class without a label is background, or a mistake
	CoveragePartly Coverage = "partly" // kinds of it are labeled, others may not be
	CoverageNo     Coverage = "no"     // whether there are such things is unknown: the dataset never labels them
)

// Annotated tells whether a dataset labels a class, its own or a canonical one. ok is false where the taxonomy knows neither
// the dataset nor the class, so that it cannot tell.
func (t *Tree) Annotated(dataset, class string) (c Coverage, ok bool) {
	space, ok := t.Space(dataset)
	if !ok {
		return CoverageNo, false
	}
	if m, own := t.mapped[space][class]; own && m.Relation != schemas.RelationIgnore {
		return CoverageYes, true
	}
	if _, ok := t.nodes[class]; !ok {
		return CoverageNo, false
	}
	c = CoverageNo
	for _, m := range t.mapped[space] {
		switch {
		case m.Relation == schemas.RelationIgnore:
		case t.within(class, m.Canonical) && m.Relation != schemas.RelationNarrower:
			return CoverageYes, true
		case t.within(class, m.Canonical) || t.within(m.Canonical, class):
			c = CoveragePartly
		}
	}
	return c, true
}
