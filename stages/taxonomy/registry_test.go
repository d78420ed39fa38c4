package taxonomy

import (
	"slices"
	"strings"
	"testing"
	"time"

	"gleaner/schemas"
)

func TestRegistry(t *testing.T) {
	rules := map[string]schemas.DatasetRules{
		"pinned": {Taxonomy: "a@1"}, "gone": {Taxonomy: "a@3"},
		"more":  {Taxonomy: "a@2", Objects: []schemas.ObjectRule{{Class: "car"}}},
		"named": {Taxonomy: "a@2", Objects: []schemas.ObjectRule{{Class: "Hund", Canonical: "dog"}, {Class: "sheep"}}},
	}
	r := NewRegistry(func(dataset string) (schemas.DatasetRules, bool) {
		of, ok := rules[dataset]
		return of, ok
	})
	put := func(id string, day int, table string) {
		t.Helper()
		tax, err := ReadTSV(strings.NewReader(header + "\n" + strings.ReplaceAll(table, "|", "\t")))
		if err != nil {
			t.Fatal(err)
		}
		tax.ID, tax.At = id, time.Date(2026, 1, day, 0, 0, 0, 0, time.UTC)
		if err := r.Put(tax); err != nil {
			t.Fatal(err)
		}
	}
	put("a@2", 2, "dog|root\ncar|root\nd@1:dog|exact|dog\nmore@1:dog|exact|dog\n")
	put("a@1", 1, "dog|root\nd@1:dog|exact|dog\n")
	put("b@1", 3, "cat|root\ne@1:cat|exact|cat\n")
	put("a@2", 4, "dog|root\n")
	for dataset, want := range map[string]string{"d": "a@2", "e": "b@1", "f": "", "pinned": "a@1", "gone": "", "named": "a@2", "more": "a@2"} {
		tree, ok := r.For(dataset)
		if ok != (want != "") || ok && tree.ID() != want {
			t.Errorf("%s: %v, want %q", dataset, tree, want)
		}
	}
	for class, want := range map[string]string{"Hund": "dog", "dog": "dog", "sheep": "sheep"} {
		if got := r.Path("named", class); !slices.Equal(got, []string{want}) {
			t.Errorf("by its rules %s is %v, want %s", class, got, want)
		}
	}
	for _, c := range []struct {
		dataset, class string
		yes, known     bool
	}{
		{"d", "dog", true, true},
		{"d", "car", false, true},
		{"d", "ship", false, false},
		{"f", "car", false, false},
		{"named", "Hund", true, true},
		{"named", "dog", true, true},
		{"more", "car", true, true},
		{"more", "dog", false, true},
	} {
		if yes, known := r.Annotated(c.dataset, c.class); yes != c.yes || known != c.known {
			t.Errorf("%s in %s: annotated %v, known %v", c.class, c.dataset, yes, known)
		}
		if got, want := r.Unlabeled(c.dataset, c.class), c.known && !c.yes; got != want {
			t.Errorf("%s in %s: unlabeled %v", c.class, c.dataset, got)
		}
	}
	if got := append(r.Path("d", "dog"), r.Path("f", "dog")...); !slices.Equal(got, []string{"dog", "dog"}) {
		t.Errorf("paths %v", got)
	}
	if err := r.Put(schemas.Taxonomy{ID: "c@1", Nodes: []schemas.TaxonomyNode{{Name: "dog", Parent: "dog"}}}); err == nil || !strings.Contains(err.Error(), `taxonomy c@1: class "dog" is its own ancestor`) {
		t.Errorf("%v", err)
	}
}

// TestLineageOfPeople: a class that a person named comes of its dataset's taxonomy, or of what the rules say that it means.
func TestLineageOfPeople(t *testing.T) {
	tax, err := ReadTSV(strings.NewReader(zoo))
	if err != nil {
		t.Fatal(err)
	}
	tax.ID = "test@1"
	rules := map[string]schemas.DatasetRules{"den": {Objects: []schemas.ObjectRule{{Class: "Hund", Canonical: "dog"}, {Class: "Tier", Canonical: "dog"}}}}
	r := NewRegistry(func(dataset string) (schemas.DatasetRules, bool) {
		of, ok := rules[dataset]
		return of, ok
	})
	if err := r.Put(tax); err != nil {
		t.Fatal(err)
	}
	for of, want := range map[string]string{
		"den:Waschbär": "test@1 den@1:Waschbär=raccoon", "den:Hund": "test@1 den:Hund=dog", "den:Tier": "test@1 den@1:Tier=animal",
		"den:poodle": "test@1 den:poodle=poodle", "kennel:pup": "test@1 kennel@1:pup<dog", "kennel:Hund": "", "coco:crowd": "", "elsewhere:dog": "",
	} {
		dataset, class, _ := strings.Cut(of, ":")
		if got := r.Lineage(dataset, class); got != want {
			t.Errorf("%s: %q, want %q", of, got, want)
		}
	}
}

// TestRulesOut: a super-class does not stand for what the model, having a class for it, told apart from what it saw.
func TestRulesOut(t *testing.T) {
	tax, err := ReadTSV(strings.NewReader(zoo))
	if err != nil {
		t.Fatal(err)
	}
	tax.ID = "test@1"
	r := NewRegistry(nil)
	if err := r.Put(tax); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		lineage, dataset, class string
		want                    bool
	}{
		{"coco@2017:car<animal", "den", "Tier", true},
		{"coco@2017:dog<animal", "den", "Waschbär", false}, // its animal holds both
		{"coco@2017:animal=animal", "den", "Waschbär", false},
		{"coco@2017:dog<animal", "street", "pedestrian", true},
		{"den@1:Waschbär<animal", "kennel", "poodle", false},
		{"den@1:Waschbär<animal", "street", "pedestrian", false},
		{"coco@2017:dog<animal", "kennel", "pup", false},
		{"kennel@1:poodle<animal", "coco", "dog", false},
		{"kennel@1:poodle<animal", "den", "Waschbär", false}, // it knows none of them
		{"street@1:car or van>animal", "coco", "dog", false},
		{"street@1:policeman<animal", "street", "pedestrian", false},
		{"coco@2017:ship<animal", "den", "Tier", false},
		{"coco@2017:car<animal", "den", "Fisch", false},
		{"coco@2017:car<animal", "nowhere", "Tier", false},
		{"", "den", "Tier", false},
	} {
		o := schemas.Object{Class: "animal", Canonical: "animal", Lineage: c.lineage, Refine: true}
		if c.lineage != "" {
			o.Lineage = "test@1 " + c.lineage
		}
		space, own, _ := o.Origin()
		tree, _ := r.For("coco")
		if got := r.RulesOut(c.dataset, o, tree.classes[space], c.class); got != c.want {
			t.Errorf("%s is no %s of %s: %v", c.lineage, c.class, c.dataset, got)
		}
		if r.RulesOut(c.dataset, o, []string{own}, c.class) {
			t.Errorf("%s is no %s of %s, by a model that knows nothing else", c.lineage, c.class, c.dataset)
		}
	}
}
