package lint

import (
	"cmp"
	"context"
	"slices"

	"gleaner/deploy/label"
	"gleaner/schemas"
	"gleaner/stages/rules"
	"gleaner/stages/taxonomy"
)

// Sayable are rules without demands that labels of a format cannot meet, and the names of the attributes that these were about: YOLO has no attributes, and of VOC
// only what is truncated is read.
func Sayable(format string, rules schemas.DatasetRules) (schemas.DatasetRules, []string) {
	var dropped []string
	can := func(attribute string) bool {
		yes := format == "coco" || format == "voc" && attribute == schemas.AttributeTruncated
		if !yes && !slices.Contains(dropped, attribute) {
			dropped = append(dropped, attribute)
		}
		return yes
	}
	rules.Objects = slices.Clone(rules.Objects)
	for i := range rules.Objects {
		o := &rules.Objects[i]
		o.Attributes = slices.Clone(o.Attributes)
		for k := range o.Attributes {
			a := &o.Attributes[k]
			a.Required = a.Required && can(a.Name)
		}
		if o.Occlusion.Policy == schemas.PolicyMark && !can(schemas.AttributeOccluded) {
			o.Occlusion.Policy = schemas.PolicyLabel
		}
		if o.Truncation == schemas.PolicyMark && !can(schemas.AttributeTruncated) {
			o.Truncation = schemas.PolicyLabel
		}
	}
	return rules, dropped
}

// wants are what a dataset wants of what is seen, in the names that its labels have.
type wants struct {
	*taxonomy.Registry // gives models' classes the labels' names, those that are not wanted too
	rules              *rules.Registry
	labelable          []taxonomy.Want // the classes that labels can have; none: any
	known              []taxonomy.Want // those of them of which the taxonomy knows
	ruled              bool            // that is since the rules say so
}

// newWants are those of a dataset whose labels can have some classes; none: they say nothing.
func newWants(of label.Wishes, classes []string) (w wants, err error) {
	terms, err := of.Terms()
	if err != nil {
		return w, err
	}
	w = wants{Registry: terms.Trees, rules: terms.Rules, labelable: taxonomy.Wants(classes...), ruled: len(of.Rules.Objects) > 0}
	if w.ruled {
		w.labelable = taxonomy.WantsOf(of.Rules)
	}
	if of.Taxonomy == nil {
		return w, nil
	}
	tree, err := taxonomy.Build(*of.Taxonomy)
	if err != nil {
		return w, err
	}
	for _, can := range w.labelable {
		if tree.CheckWanted(of.Rules.Dataset, []taxonomy.Want{can}) == nil {
			w.known = append(w.known, can)
		}
	}
	named := inNames(tree, of, classes)
	w.Registry = taxonomy.NewRegistry(func(string) (schemas.DatasetRules, bool) { return named, true })
	return w, w.Put(*of.Taxonomy)
}

// inNames are rules that want all that a taxonomy maps for a dataset, each once: as they name it, else as its labels do, else as the taxonomy does.
func inNames(tree *taxonomy.Tree, of label.Wishes, classes []string) schemas.DatasetRules {
	all, dataset := of.Rules, of.Rules.Dataset
	all.Taxonomy, all.Objects = of.Taxonomy.ID, slices.Clone(all.Objects)
	met := map[string]bool{} // names and canonical classes
	for _, o := range all.Objects {
		met[o.Class], met[cmp.Or(o.Canonical, tree.Path(dataset, o.Class)[0])] = true, true
	}
	space, _ := tree.Space(dataset)
	names := slices.Clone(classes)
	for _, m := range of.Taxonomy.Mappings {
		if m.Dataset == space {
			names = append(names, m.Class)
		}
	}
	for _, class := range names {
		is := tree.Path(dataset, class)[0]
		if met[class] || met[is] || tree.CheckWanted(dataset, taxonomy.Wants(class)) != nil {
			continue
		}
		met[class], met[is] = true, true
		all.Objects = append(all.Objects, schemas.ObjectRule{Class: class})
	}
	return all
}

// has tells whether labels can have just this class.
func (w wants) has(class string) bool {
	return len(w.labelable) == 0 || slices.ContainsFunc(w.labelable, func(can taxonomy.Want) bool { return can.Class == class })
}

// Unlabeled implements lint.Taxonomy: labels can have neither the class nor one above it or below.
func (w wants) Unlabeled(dataset, class string) bool {
	if w.has(class) {
		return len(w.labelable) == 0 && w.Registry.Unlabeled(dataset, class)
	}
	tree, ok := w.For(dataset)
	if !ok || len(w.known) == 0 {
		return true
	}
	covered, known := tree.Annotated(dataset, w.known, class)
	return !known || covered == taxonomy.CoverageNo
}

// canonical is what a label's class is by the taxonomy, empty without one.
func (w wants) canonical(dataset, class string) string {
	if _, ok := w.For(dataset); !ok {
		return ""
	}
	return w.Path(dataset, class)[0]
}

// Keep implements prelabel.Rules.
func (w wants) Keep(ctx context.Context, s *schemas.Sample, objects []schemas.Object) ([]schemas.Object, error) {
	objects = slices.DeleteFunc(slices.Clone(objects), func(o schemas.Object) bool { return w.Unlabeled(s.Dataset, o.Class) })
	return w.rules.Keep(ctx, s, objects)
}
