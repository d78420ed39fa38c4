package lint

import (
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
	labelable          map[string][]string // the classes that labels can have, with their paths; nil: any
	ruled              bool                // that is since the rules say so
}

// newWants are those of a dataset whose labels can have some classes; nil: they say nothing.
func newWants(of label.Wishes, dataset string, classes []string) (w wants, err error) {
	terms, err := of.Terms()
	if err != nil {
		return w, err
	}
	w = wants{Registry: terms.Trees, rules: terms.Rules, ruled: len(of.Rules.Objects) > 0}
	if of.Taxonomy != nil {
		named, err := inNames(of, dataset, classes)
		if err != nil {
			return w, err
		}
		w.Registry = taxonomy.NewRegistry(func(string) (schemas.DatasetRules, bool) { return named, true })
		if err := w.Put(*of.Taxonomy); err != nil {
			return w, err
		}
	}
	if w.ruled {
		classes = nil
		for _, o := range of.Rules.Objects {
			classes = append(classes, o.Class)
		}
	}
	for _, class := range classes {
		if w.labelable == nil {
			w.labelable = map[string][]string{}
		}
		w.labelable[class] = w.Path(dataset, class)
	}
	return w, nil
}

// inNames are rules that want all that the taxonomy maps for a dataset: as they name it, else as its labels do, else as the taxonomy does.
func inNames(of label.Wishes, dataset string, classes []string) (schemas.DatasetRules, error) {
	tree, err := taxonomy.Build(*of.Taxonomy)
	if err != nil {
		return of.Rules, err
	}
	all := of.Rules
	all.Taxonomy, all.Objects = of.Taxonomy.ID, slices.Clone(all.Objects)
	met := map[string]bool{} // canonical classes
	for _, o := range all.Objects {
		met[o.Class], met[o.Canonical], met[tree.Path(dataset, o.Class)[0]] = true, true, true
	}
	add := func(class string, again bool) {
		is := tree.Path(dataset, class)[0]
		if met[class] || met[is] && !again || tree.CheckWanted(dataset, taxonomy.Wants(class)) != nil {
			return
		}
		met[class], met[is] = true, true
		all.Objects = append(all.Objects, schemas.ObjectRule{Class: class})
	}
	for _, class := range classes {
		add(class, true)
	}
	space, _ := tree.Space(dataset)
	for _, m := range of.Taxonomy.Mappings {
		if m.Dataset == space {
			add(m.Class, false)
		}
	}
	return all, nil
}

// Unlabeled implements lint.Taxonomy: labels can have neither the class nor one above it or below.
func (w wants) Unlabeled(dataset, class string) bool {
	if w.labelable == nil {
		return w.Registry.Unlabeled(dataset, class)
	}
	if w.labelable[class] != nil {
		return false
	}
	path := w.Path(dataset, class)
	for _, can := range w.labelable {
		if slices.Contains(path, can[0]) || slices.Contains(can, path[0]) {
			return false
		}
	}
	return true
}

// Keep implements prelabel.Rules.
func (w wants) Keep(ctx context.Context, s *schemas.Sample, objects []schemas.Object) ([]schemas.Object, error) {
	objects = slices.DeleteFunc(slices.Clone(objects), func(o schemas.Object) bool { return w.Unlabeled(s.Dataset, o.Class) })
	return w.rules.Keep(ctx, s, objects)
}
