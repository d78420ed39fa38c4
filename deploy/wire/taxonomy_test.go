package wire

import (
	"slices"
	"strings"
	"testing"

	"gleaner/schemas"
	"gleaner/stages/prelabel"
	"gleaner/stages/rules"
	"gleaner/stages/taxonomy"
)

// TestPlannable: of a name the newest version is planned with, by number, unless another serves the dataset; none that was removed.
func TestPlannable(t *testing.T) {
	r := prelabel.NewRegistry()
	for _, id := range []string{"a@9", "a@10", "b@1", "b@2", "b@3", "c@1", "c@draft"} {
		name, version, _ := strings.Cut(id, "@")
		r.Models[id] = schemas.Model{ID: id, Name: name, Version: version}
	}
	r.Removed["b@3"] = schemas.ModelRemoval{ID: "b@3"}
	r.Serving["street"] = schemas.Serving{ModelSet: schemas.ModelSet{Models: []string{"a@9"}, Canary: []string{"b@1", "b@2"}, Share: 0.5}}
	for dataset, want := range map[string][]string{"pets": {"a@10", "b@2", "c@1"}, "street": {"a@9", "b@1", "b@2", "c@1"}} {
		var got []string
		for _, m := range plannable(r, dataset) {
			got = append(got, m.ID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", dataset, got, want)
		}
	}
}

// TestCheckServed: of what serves a dataset whose rules name a taxonomy, models are named whose classes it cannot translate.
func TestCheckServed(t *testing.T) {
	c := overKafka(t)
	coco, err := taxonomy.COCO()
	if err != nil {
		t.Fatal(err)
	}
	entry, _, err := c.ApplyTaxonomy(t.Context(), "things", coco)
	if err != nil {
		t.Fatal(err)
	}
	for name, space := range map[string]string{"known": "coco@2017", "bare": "", "strange": "moon@1"} {
		m := schemas.Model{ID: name + "@1", Name: name, Version: "1", Classes: []string{"cat"}, LabelSpace: space, File: schemas.BlobRef{Key: schemas.ModelKey(schemas.Hash{})}}
		if err := c.appendModel(t.Context(), m.ID, m); err != nil {
			t.Fatal(err)
		}
	}
	for dataset, by := range map[string]string{"pets": entry.ID, "zoo": entry.ID, "free": ""} {
		set, err := rules.Compile(schemas.DatasetRules{Dataset: dataset, Taxonomy: by, Objects: []schemas.ObjectRule{{Class: "cat"}}})
		if err == nil {
			_, _, err = c.ApplyRules(t.Context(), set)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		dataset string
		models  []string
		want    []string // parts of the warnings, in order
	}{
		{"pets", []string{"known"}, nil},
		{"free", []string{"bare"}, nil},
		{schemas.AnyDataset, []string{"known", "bare"}, []string{"dataset zoo: model bare@1: its label space is not known: name it with --label-space"}},
		{"pets", []string{"bare", "strange"}, []string{"dataset pets: model bare@1", `dataset pets: model strange@1: label space "moon@1" is not mapped in taxonomy ` + entry.ID}},
		{"pets", nil, []string{"dataset pets: model bare@1"}}, // as every other dataset again
		{schemas.AnyDataset, []string{"strange"}, []string{"dataset pets: model strange@1", "dataset zoo: model strange@1"}},
	} {
		if _, err := c.ServeModels(t.Context(), step.dataset, step.models, 0, "test"); err != nil {
			t.Fatal(err)
		}
		got, err := c.CheckServed(t.Context(), step.dataset)
		if err != nil || len(got) != len(step.want) {
			t.Errorf("%v serve %s: %v, %v, want %q", step.models, step.dataset, got, err, step.want)
			continue
		}
		for i, want := range step.want {
			if !strings.Contains(got[i].Error(), want) {
				t.Errorf("%v serve %s: %v, want %s", step.models, step.dataset, got[i], want)
			}
		}
	}
}
