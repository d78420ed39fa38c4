package taxonomy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gleaner/schemas"
)

// Fit is how well a model's class serves a wanted one.
type Fit uint8

// The fits; a greater one is better.
const (
	FitNone  Fit = iota
	FitSuper     // they share a super-class: proposed as that, to be refined
	FitKind      // the model's class is a kind of the wanted one, which may have others
	FitExact     // both are the same
)

var fits = [...]string{"none", "super-class", "kind", "exact"}

func (f Fit) String() string { return fits[f] }

// MarshalText makes JSON of the name.
func (f Fit) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// fit says how a class found serves a class wanted, and which canonical class both come to. With c and d the canonical classes
// of found and wanted:
//
//   - c is d or below it: the wanted class, or a kind of it;
//   - c is below the parent of d, or above d: that parent, or c, is to be refined.
//
// A class that is narrower than its canonical class counts as a child of it without a name. One that is broader may be
// something else at any time, and is always to be refined.
func (t *Tree) fit(found, wanted schemas.ClassMapping) (Fit, string) {
	c, d := found.Canonical, wanted.Canonical
	narrower, broader := found.Relation == schemas.RelationNarrower, found.Relation == schemas.RelationBroader
	parent := t.parent(wanted)
	switch {
	case c == "" || d == "": // ignored, or not mapped
		return FitNone, ""
	case found.Key() == wanted.Key():
		return FitExact, c
	case t.within(c, d) && wanted.Relation != schemas.RelationNarrower:
		switch {
		case broader:
			return FitSuper, d
		case c == d && !narrower && wanted.Relation == schemas.RelationExact:
			return FitExact, d
		}
		return FitKind, d
	case parent != "" && t.within(c, parent):
		return FitSuper, parent
	case !narrower && t.within(d, c):
		return FitSuper, c
	}
	return FitNone, ""
}

// parent is the canonical class right above a mapped one, "" for none.
func (t *Tree) parent(m schemas.ClassMapping) string {
	if m.Relation == schemas.RelationNarrower {
		return m.Canonical
	}
	return t.nodes[m.Canonical].Parent
}

// Want is a class that a dataset wants.
type Want struct {
	Class     string // of the dataset's label space, else a canonical name
	Canonical string // what Class means where the taxonomy does not map it; empty: Class says it
}

// Wants are classes that say themselves what they mean.
func Wants(classes ...string) []Want {
	out := make([]Want, len(classes))
	for i, c := range classes {
		out[i].Class = c
	}
	return out
}

// WantsOf are the classes that a dataset's rules want.
func WantsOf(rules schemas.DatasetRules) []Want {
	out := make([]Want, len(rules.Objects))
	for i, o := range rules.Objects {
		out[i] = Want{Class: o.Class, Canonical: o.Canonical}
	}
	return out
}

// CheckWanted names the classes that a dataset wants and the taxonomy does not know, so that it cannot translate to any of them.
func (t *Tree) CheckWanted(dataset string, wanted []Want) error {
	_, err := t.wants(dataset, wanted)
	return err
}

// wants finds out what wanted classes mean. None are all classes of the dataset's label space.
func (t *Tree) wants(dataset string, wanted []Want) ([]schemas.ClassMapping, error) {
	space, mapped := t.Space(dataset)
	if len(wanted) == 0 {
		for _, c := range t.classes[space] {
			if t.mapped[space][c].Relation != schemas.RelationIgnore {
				wanted = append(wanted, Want{Class: c})
			}
		}
		if len(wanted) == 0 {
			return nil, fmt.Errorf("taxonomy %s maps no class of dataset %s: name one of %s, or the classes that are wanted", t.id, dataset, strings.Join(t.datasets(), ", "))
		}
	}
	out := make([]schemas.ClassMapping, 0, len(wanted))
	seen := map[string]bool{}
	var errs []error
	for _, w := range wanted {
		m, ok := t.want(dataset, w)
		switch canonical := cmp.Or(w.Canonical, w.Class); {
		case !ok && mapped:
			errs = append(errs, fmt.Errorf("class %q is neither one of %s nor a canonical one of taxonomy %s", canonical, space, t.id))
		case !ok:
			errs = append(errs, fmt.Errorf("class %q is not a canonical one of taxonomy %s, which does not map dataset %s", canonical, t.id, dataset))
		case m.Relation == schemas.RelationIgnore:
			errs = append(errs, fmt.Errorf("class %q is wanted, but taxonomy %s says to ignore %s", w.Class, t.id, m.Key()))
		case !seen[w.Class]:
			out = append(out, m)
		}
		seen[w.Class] = true
	}
	return out, errors.Join(errs...)
}

// want finds out what one wanted class means, nothing where the taxonomy does not know it.
func (t *Tree) want(dataset string, w Want) (m schemas.ClassMapping, ok bool) {
	space, _ := t.Space(dataset)
	if m, ok := t.mapped[space][w.Class]; ok {
		return m, true
	}
	canonical := cmp.Or(w.Canonical, w.Class)
	if _, ok := t.nodes[canonical]; !ok {
		return schemas.ClassMapping{}, false
	}
	return schemas.ClassMapping{Dataset: dataset, Class: w.Class, Canonical: canonical, Relation: schemas.RelationExact}, true
}

// Proposal is what a detection of a model's class is to a dataset.
type Proposal struct {
	Class     string // in the dataset's label space; the canonical name where that has none for a super-class
	Canonical string
	Lineage   string // as of schemas.Object
	Refine    bool
}

// Translator turns a model's classes into those that one dataset wants. It is immutable and safe for concurrent use.
type Translator struct {
	proposals map[string]Proposal
	classes   []string // of the proposals, in the order of their names
}

// Translator makes one from a model to a dataset, by name or by label space (Space), that wants some classes, all of its own if
// none are named. A class that serves several wanted ones is proposed as the one that it fits best, of equals as the nearest
// in the tree, then as the one wanted first. A super-class stands only for wanted classes that the model does not have: where
// it tells dogs from horses, its horse is no dog to be refined. Of the label space, what the model does not know does not count.
func (t *Tree) Translator(m Model, dataset string, wanted []Want) (*Translator, error) {
	wants, err := t.wants(dataset, wanted)
	if err != nil {
		return nil, err
	}
	if t.mapped[m.Space] == nil {
		return nil, t.errSpace(m.Space)
	}
	exact := map[string]bool{} // wanted classes that the model knows: what it calls otherwise is none of them
	for _, class := range m.Classes {
		for _, w := range wants {
			if fit, _ := t.fit(t.mapped[m.Space][class], w); fit == FitExact {
				exact[w.Class] = true
			}
		}
	}
	tr := &Translator{proposals: map[string]Proposal{}}
	for _, class := range m.Classes {
		if p, fit := t.propose(dataset, t.mapped[m.Space][class], wants, exact); fit != FitNone {
			tr.proposals[class] = p
			tr.classes = append(tr.classes, p.Class)
		}
	}
	slices.Sort(tr.classes)
	tr.classes = slices.Compact(tr.classes)
	return tr, nil
}

// CheckModel tells why a model's classes cannot become those that a dataset wants, and what to do.
func (t *Tree) CheckModel(m Model, dataset string, wanted []Want) error {
	var err error
	switch {
	case m.Space == "":
		err = fmt.Errorf("its label space is not known: name it with --label-space (of a registered model: gleaner model add FILE --label-space); taxonomy %s maps %s", t.id, cmp.Or(list(t.spaces), "none"))
	case t.mapped[m.Space] == nil:
		err = fmt.Errorf("%w: map its classes (gleaner taxonomy apply), or name another with --label-space", t.errSpace(m.Space))
	default:
		err = t.CheckWanted(dataset, wanted)
	}
	if err != nil {
		return fmt.Errorf("model %s: %w", m.ID, err)
	}
	return nil
}

func (t *Tree) errSpace(space string) error {
	known := strings.Join(t.spaces, ", ")
	return fmt.Errorf("label space %q is not mapped in taxonomy %s; %s", space, t.id, cmp.Or(known, "none")+" is")
}

// propose is what a class found is proposed as. For those of wants that are exact a class beside them does not stand in.
func (t *Tree) propose(dataset string, found schemas.ClassMapping, wants []schemas.ClassMapping, exact map[string]bool) (Proposal, Fit) {
	var best Fit
	var canonical, class string
	for _, w := range wants {
		fit, to := t.fit(found, w)
		if fit == FitSuper && exact[w.Class] && !t.within(w.Canonical, found.Canonical) {
			continue
		}
		if fit > best || fit == best && fit != FitNone && t.depth(to) > t.depth(canonical) {
			best, canonical, class = fit, to, w.Class
		}
		if w.Key() == found.Key() {
			class = w.Class // rather than another that means the same
			break
		}
	}
	if best == FitSuper {
		class = t.named(dataset, canonical)
	}
	return Proposal{class, canonical, t.lineage(found, canonical), best == FitSuper}, best
}

// lineage is that of an object whose class became a canonical one.
func (t *Tree) lineage(from schemas.ClassMapping, canonical string) string {
	relation := "<"
	switch {
	case from.Relation == schemas.RelationBroader:
		relation = ">"
	case from.Relation == schemas.RelationExact && from.Canonical == canonical:
		relation = "="
	}
	return t.id + " " + from.Key() + relation + canonical
}

// named is a dataset's own name of a canonical class, or else the canonical one.
func (t *Tree) named(dataset, canonical string) string {
	space, _ := t.Space(dataset)
	for _, c := range t.classes[space] {
		if m := t.mapped[space][c]; m.Canonical == canonical && m.Relation == schemas.RelationExact {
			return c
		}
	}
	return canonical
}

// Class is what a detection of a class is proposed as; false where the dataset has no use for it.
func (tr *Translator) Class(class string) (Proposal, bool) {
	p, ok := tr.proposals[class]
	return p, ok
}

// Objects translates detections into a new slice and leaves out those that the dataset has no use for.
func (tr *Translator) Objects(found []schemas.Object) []schemas.Object {
	out := make([]schemas.Object, 0, len(found))
	for _, o := range found {
		if p, ok := tr.proposals[o.Class]; ok {
			o.Class, o.Canonical, o.Lineage, o.Refine = p.Class, p.Canonical, p.Lineage, p.Refine
			out = append(out, o)
		}
	}
	return slices.Clip(out)
}
