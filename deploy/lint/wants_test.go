package lint

import (
	"log/slog"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gleaner/deploy/label"
	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/taxonomy"
)

// TestSayable: demands that labels of a format cannot meet go, and no others, and the rules that were given stay as they are.
func TestSayable(t *testing.T) {
	rules := func() schemas.DatasetRules {
		return schemas.DatasetRules{Dataset: "cells", Objects: []schemas.ObjectRule{
			{
				Class: "WBC", Attributes: []schemas.AttributeRule{{Name: "kind", Values: []string{"a", "b"}, Required: true}, {Name: "stain"}},
				Occlusion: schemas.Occlusion{Policy: schemas.PolicyMark}, Truncation: schemas.PolicyMark,
			},
			{Class: "RBC", Attributes: []schemas.AttributeRule{{Name: "kind", Required: true}}, Occlusion: schemas.Occlusion{Policy: schemas.PolicySkip, Above: 0.5}, Truncation: schemas.PolicySkip},
		}}
	}
	voc := rules()
	voc.Objects[0].Attributes[0].Required, voc.Objects[1].Attributes[0].Required, voc.Objects[0].Occlusion.Policy = false, false, schemas.PolicyLabel
	yolo := rules()
	yolo.Objects[0].Attributes[0].Required, yolo.Objects[1].Attributes[0].Required = false, false
	yolo.Objects[0].Occlusion.Policy, yolo.Objects[0].Truncation = schemas.PolicyLabel, schemas.PolicyLabel
	for format, want := range map[string]struct {
		rules   schemas.DatasetRules
		dropped []string
	}{
		"coco": {rules(), nil}, "voc": {voc, []string{"kind", "occluded"}}, "yolo": {yolo, []string{"kind", "occluded", "truncated"}},
	} {
		given := rules()
		got, dropped := Sayable(format, given)
		if d := cmp.Diff(want.rules, got); d != "" {
			t.Errorf("%s: %s", format, d)
		}
		if d := cmp.Diff(want.dropped, dropped); d != "" {
			t.Errorf("%s: dropped: %s", format, d)
		}
		if d := cmp.Diff(rules(), given); d != "" {
			t.Errorf("%s: what was given is another: %s", format, d)
		}
	}
}

// TestUnlabeled has labels of some classes, by a taxonomy that relates them to others in all ways.
func TestUnlabeled(t *testing.T) {
	tree := &schemas.Taxonomy{
		ID: "t@1", Nodes: []schemas.TaxonomyNode{{Name: "vehicle"}, {Name: "car", Parent: "vehicle"}, {Name: "bus", Parent: "vehicle"}, {Name: "bowl"}, {Name: "cup"}},
		Mappings: []schemas.ClassMapping{
			{Dataset: "street@1", Class: "Auto", Relation: schemas.RelationExact, Canonical: "car"},
			{Dataset: "street@1", Class: "Fahrzeug", Relation: schemas.RelationExact, Canonical: "vehicle"},
			{Dataset: "street@1", Class: "Geschirr", Relation: schemas.RelationBroader, Canonical: "bowl"},
			{Dataset: "street@1", Class: "Suppenschale", Relation: schemas.RelationNarrower, Canonical: "bowl"},
			{Dataset: "street@1", Class: "Rest", Relation: schemas.RelationIgnore},
		},
	}
	rules := schemas.DatasetRules{Dataset: "street"}
	wantsAuto := schemas.DatasetRules{Dataset: "street", Objects: []schemas.ObjectRule{{Class: "Auto"}}}
	for _, c := range []struct {
		name     string
		of       label.Wishes
		classes  []string
		can, not []string
	}{
		{"no taxonomy", label.Wishes{Rules: rules}, []string{"car"}, []string{"car"}, []string{"bus", "vehicle"}},
		{"no labels", label.Wishes{Rules: rules}, nil, []string{"car", "bus"}, nil},
		{"no taxonomy, but rules", label.Wishes{Rules: wantsAuto}, []string{"car"}, []string{"Auto"}, []string{"car", "bus"}},
		{"exact", label.Wishes{Rules: rules, Taxonomy: tree}, []string{"Auto"}, []string{"Auto", "car", "vehicle"}, []string{"bus", "bowl", "cup"}},
		{"the class above", label.Wishes{Rules: rules, Taxonomy: tree}, []string{"Fahrzeug"}, []string{"Fahrzeug", "vehicle", "car", "bus"}, []string{"bowl"}},
		{"broader", label.Wishes{Rules: rules, Taxonomy: tree}, []string{"Geschirr"}, []string{"Geschirr", "bowl"}, []string{"car"}},
		{"narrower", label.Wishes{Rules: rules, Taxonomy: tree}, []string{"Suppenschale"}, []string{"Suppenschale", "bowl"}, []string{"cup"}},
		{"ignored", label.Wishes{Rules: rules, Taxonomy: tree}, []string{"Rest", "Auto"}, []string{"Auto"}, []string{"bus", "bowl"}},
		{"of none does the taxonomy know", label.Wishes{Rules: rules, Taxonomy: tree}, []string{"Schachtel"}, []string{"Schachtel"}, []string{"car", "bowl"}},
		{"rules", label.Wishes{Rules: wantsAuto, Taxonomy: tree}, []string{"Auto", "Geschirr"}, []string{"Auto", "car"}, []string{"Geschirr", "bowl", "bus"}},
	} {
		w, err := newWants(c.of, c.classes)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		for _, class := range c.can {
			if w.Unlabeled("street", class) {
				t.Errorf("%s: labels cannot have %s", c.name, class)
			}
		}
		for _, class := range c.not {
			if !w.Unlabeled("street", class) {
				t.Errorf("%s: labels can have %s", c.name, class)
			}
		}
		kept, err := w.Keep(t.Context(), &schemas.Sample{Dataset: "street"}, []schemas.Object{{Class: "Auto"}, {Class: "bus"}})
		if bus := slices.ContainsFunc(kept, func(o schemas.Object) bool { return o.Class == "bus" }); err != nil || bus && slices.Contains(c.not, "bus") {
			t.Errorf("%s: kept are %v, %v", c.name, kept, err)
		}
	}
}

// TestInNames: what several names of a dataset mean is called as the rules do, else as the labels do.
func TestInNames(t *testing.T) {
	tree := schemas.Taxonomy{
		ID: "t@1", Nodes: []schemas.TaxonomyNode{{Name: "motorcycle"}, {Name: "sofa"}, {Name: "dog"}},
		Mappings: []schemas.ClassMapping{
			{Dataset: "old@1", Class: "motorbike", Relation: schemas.RelationExact, Canonical: "motorcycle"},
			{Dataset: "old@1", Class: "couch", Relation: schemas.RelationExact, Canonical: "sofa"},
			{Dataset: "old@1", Class: "hound", Relation: schemas.RelationExact, Canonical: "dog"},
		},
	}
	rules := schemas.DatasetRules{Dataset: "old", Objects: []schemas.ObjectRule{{Class: "motorcycle"}}}
	w, err := newWants(label.Wishes{Rules: rules, Taxonomy: &tree}, []string{"motorbike", "sofa", "unheard of"})
	if err != nil {
		t.Fatal(err)
	}
	for own, want := range map[string]string{"motorbike": "motorcycle", "couch": "sofa", "hound": "hound"} {
		got, _ := taxonomy.NewTranslations(w.Registry, slog.New(slog.DiscardHandler)).Translate("old", schemas.Model{ID: "m@1", LabelSpace: "old@1", Classes: []string{own}}, []schemas.Object{{Class: own}})
		if len(got) != 1 || got[0].Class != want {
			t.Errorf("%s is proposed as %v, want %s", own, got, want)
		}
	}
}

// TestTurned: a box the wrong way round is offered the right way round, one that cannot be turned is removed.
func TestTurned(t *testing.T) {
	right := geometry.Box{X1: 10, Y1: 10, X2: 90, Y2: 90}
	f := schemas.Finding{Type: schemas.FindingDegenerate, ObjectID: "o1", Box: geometry.Box{X1: 90, Y1: 90, X2: 10, Y2: 10}, Fix: &right}
	if got := newFinding("a.jpg", f, 100, 100); got.Fix == nil || got.Fix.Remove || got.Fix.Box == nil || *got.Fix.Box != [4]float32{10, 10, 90, 90} {
		t.Errorf("%+v", got.Fix)
	}
	f.Fix = nil
	if got := newFinding("a.jpg", f, 100, 100); got.Fix == nil || !got.Fix.Remove || got.Fix.Box != nil {
		t.Errorf("%+v", got.Fix)
	}
}
