package taxonomy

import (
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gleaner/schemas"
)

var zoo = header + strings.ReplaceAll(`
animal|root
dog|child|animal
beagle|child|dog
poodle|child|dog
raccoon|child|animal
person|root
pedestrian|child|person
car|root
coco@2017:dog|exact|dog
coco@2017:person|exact|person
coco@2017:car|exact|car
coco@2017:animal|exact|animal
coco@2017:crowd|ignore
street@1:pedestrian|exact|pedestrian
street@1:policeman|narrower|person
street@1:car or van|broader|car
den@1:Waschbär|exact|raccoon
den@1:Tier|exact|animal
kennel@1:pup|narrower|dog
kennel@1:poodle|exact|poodle
`, "|", "\t")

// whole is a model that knows all of a label space.
func whole(tree *Tree, space string) Model { return Model{Space: space, Classes: tree.classes[space]} }

func TestTranslate(t *testing.T) {
	tree := tree(t, zoo)
	for name, c := range map[string]struct {
		space, class, dataset, wanted string
		want                          Proposal
	}{
		"exact":                               {"coco@2017", "dog", "pets", "dog", Proposal{"dog", "dog", "test@1 coco@2017:dog=dog", false}},
		"a kind of what is wanted":            {"street@1", "pedestrian", "city", "person", Proposal{"person", "person", "test@1 street@1:pedestrian<person", false}},
		"a kind without a name in the tree":   {"street@1", "policeman", "city", "person", Proposal{"person", "person", "test@1 street@1:policeman<person", false}},
		"a sibling":                           {"coco@2017", "dog", "pets", "raccoon", Proposal{"animal", "animal", "test@1 coco@2017:dog<animal", true}},
		"a super-class in the dataset's name": {"coco@2017", "dog", "den", "Waschbär", Proposal{"Tier", "animal", "test@1 coco@2017:dog<animal", true}},
		"a broader class":                     {"coco@2017", "dog", "pets", "poodle", Proposal{"dog", "dog", "test@1 coco@2017:dog=dog", true}},
		"a broader class above the parent":    {"coco@2017", "animal", "pets", "poodle", Proposal{"animal", "animal", "test@1 coco@2017:animal=animal", true}},
		"a kind and a sibling":                {"kennel@1", "poodle", "pets", "raccoon,beagle,dog", Proposal{"dog", "dog", "test@1 kennel@1:poodle<dog", false}},
		"the nearest super-class":             {"kennel@1", "poodle", "pets", "raccoon,beagle", Proposal{"dog", "dog", "test@1 kennel@1:poodle<dog", true}},
		"the nearest of two wanted":           {"kennel@1", "poodle", "pets", "animal,dog", Proposal{"dog", "dog", "test@1 kennel@1:poodle<dog", false}},
		"what may be something else":          {"street@1", "car or van", "city", "car", Proposal{"car", "car", "test@1 street@1:car or van>car", true}},
		"a sibling of a class that it knows":  {"kennel@1", "poodle", "kennel", "pup", Proposal{}},
		"above a class that it knows":         {"den@1", "Tier", "den", "Waschbär", Proposal{"Tier", "animal", "test@1 den@1:Tier=animal", true}},
		"its own class, whatever it is":       {"kennel@1", "pup", "kennel", "pup", Proposal{"pup", "dog", "test@1 kennel@1:pup<dog", false}},
		"all of a dataset":                    {"coco@2017", "dog", "den@1", "", Proposal{"Tier", "animal", "test@1 coco@2017:dog<animal", false}},
		"unrelated":                           {"coco@2017", "car", "pets", "raccoon", Proposal{}},
		"a cousin":                            {"street@1", "pedestrian", "pets", "raccoon", Proposal{}},
		"two levels up":                       {"den@1", "Waschbär", "pets", "poodle", Proposal{}},
		"ignored":                             {"coco@2017", "crowd", "city", "person", Proposal{}},
		"not mapped":                          {"coco@2017", "ship", "city", "person", Proposal{}},
	} {
		var wanted []Want
		if c.wanted != "" {
			wanted = Wants(strings.Split(c.wanted, ",")...)
		}
		tr, err := tree.Translator(whole(tree, c.space), c.dataset, wanted)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, ok := tr.Class(c.class); got != c.want || ok != (c.want != Proposal{}) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

// A model that knows a part of its label space: what it does not know neither keeps a super-class from standing in, nor is among
// what it can give.
func TestTranslateSpecialist(t *testing.T) {
	tax, err := ReadTSV(strings.NewReader(zoo))
	if err != nil {
		t.Fatal(err)
	}
	trees := NewRegistry(func(string) (schemas.DatasetRules, bool) {
		return schemas.DatasetRules{Taxonomy: "test@1", Objects: []schemas.ObjectRule{{Class: "dog"}, {Class: "person"}, {Class: "raccoon"}}}, true
	})
	tax.ID = "test@1"
	if err := trees.Put(tax); err != nil {
		t.Fatal(err)
	}
	spaces := NewTranslations(trees, slog.New(slog.DiscardHandler))
	for _, c := range []struct{ id, knows, gives, as string }{
		{"dogs@1", "dog", "dog", "dog"},
		{"people@1", "person", "person", "person"},
		{"animals@1", "animal,car", "animal", "animal"}, // whichever it is
		{"all@1", "animal,car,dog,person", "animal,dog,person", "animal"},
	} {
		m := schemas.Model{ID: c.id, LabelSpace: "coco@2017", Classes: strings.Split(c.knows, ",")}
		objects, classes := spaces.Translate("pets", m, []schemas.Object{{Class: m.Classes[0]}})
		if got := strings.Join(classes, ","); got != c.gives || len(objects) != 1 || objects[0].Class != c.as {
			t.Errorf("%s gives %s and proposes %+v, want %s and %s", c.id, got, objects, c.gives, c.as)
		}
	}
	kennel := tree(t, zoo)
	tr, err := kennel.Translator(Model{Space: "kennel@1", Classes: []string{"poodle"}}, "kennel", Wants("pup"))
	if err != nil {
		t.Fatal(err)
	}
	if p, ok := tr.Class("poodle"); !ok || p.Class != "dog" || !p.Refine {
		t.Errorf("a poodle by a model that knows no pups is %+v: a dog to be refined is wanted", p)
	}
}

func TestTranslatorNamesWhatIsUnknown(t *testing.T) {
	tree := tree(t, zoo)
	for want, c := range map[string]struct{ space, dataset, wanted string }{
		`label space "coco@2014" is not mapped in taxonomy test@1; coco@2017, street@1, den@1, kennel@1 is`:                    {"coco@2014", "pets", "dog"},
		`class "Dog" is not a canonical one of taxonomy test@1, which does not map dataset pets`:                               {"coco@2017", "pets", "Dog"},
		`class "lynx" is neither one of den@1 nor a canonical one of taxonomy test@1`:                                          {"coco@2017", "den", "lynx"},
		`class "crowd" is wanted, but taxonomy test@1 says to ignore coco@2017:crowd`:                                          {"coco@2017", "coco", "crowd"},
		`taxonomy test@1 maps no class of dataset pets: name one of coco, street, den, kennel, or the classes that are wanted`: {"coco@2017", "pets", ""},
	} {
		var wanted []Want
		if c.wanted != "" {
			wanted = Wants(c.wanted)
		}
		if _, err := tree.Translator(whole(tree, c.space), c.dataset, wanted); err == nil || err.Error() != want {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
}

func TestObjects(t *testing.T) {
	tree := tree(t, zoo)
	tr, err := tree.Translator(whole(tree, "coco@2017"), "pets", []Want{{Class: "raccoon"}, {Class: "human", Canonical: "person"}})
	if err != nil {
		t.Fatal(err)
	}
	in := []schemas.Object{{ID: "1", Class: "dog", Score: 0.5, Source: "m@1"}, {ID: "2", Class: "car"}, {ID: "3", Class: "person", Score: 0.25}}
	want := []schemas.Object{
		{ID: "1", Class: "animal", Score: 0.5, Source: "m@1", Canonical: "animal", Lineage: "test@1 coco@2017:dog<animal", Refine: true},
		{ID: "3", Class: "human", Score: 0.25, Canonical: "person", Lineage: "test@1 coco@2017:person=person"},
	}
	before := slices.Clone(in)
	if d := cmp.Diff(want, tr.Objects(in)); d != "" || !cmp.Equal(in, before) {
		t.Errorf("-want +got\n%s", d)
	}
}

// TestTranslationHolds checks on random trees: a class that is mapped exactly comes back as itself where it is wanted, whatever
// else is; what is proposed without need of refining lies within a wanted class; and what is to be refined lies above or beside one.
func TestTranslationHolds(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 300 {
		tree := randomTree(t, rng)
		space, dataset := tree.spaces[rng.IntN(len(tree.spaces))], tree.spaces[rng.IntN(len(tree.spaces))]
		tr, err := tree.Translator(whole(tree, space), dataset, nil)
		if err != nil {
			continue // all of the dataset's classes are ignored
		}
		for _, c := range tree.classes[space] {
			m := tree.mapped[space][c]
			p, ok := tr.Class(c)
			switch {
			case !ok:
				continue
			case space == dataset && (p.Class != c || p.Refine):
				t.Fatalf("%s is %+v in its own label space", m.Key(), p)
			case space == dataset:
			case m.Relation != schemas.RelationBroader && !tree.within(m.Canonical, p.Canonical):
				t.Fatalf("%s, which is %s %s, is proposed as %+v", m.Key(), m.Relation, m.Canonical, p)
			case !p.Refine && tree.mapped[dataset][p.Class].Canonical != p.Canonical:
				t.Fatalf("%s is proposed as %+v", m.Key(), p)
			case p.Refine && m.Relation == schemas.RelationExact && slices.ContainsFunc(tree.classes[dataset], func(d string) bool {
				w := tree.mapped[dataset][d]
				return w.Relation == schemas.RelationExact && w.Canonical == m.Canonical
			}):
				t.Fatalf("%s is to be refined to %+v, though it is wanted", m.Key(), p)
			}
		}
	}
}

// TestAncestry: ancestors are transitive, descendants their inverse, and the nearest common ancestor the first that both have.
func TestAncestry(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for range 100 {
		tree := randomTree(t, rng)
		for a := range tree.nodes {
			up := tree.Ancestors(a)
			for i, b := range up {
				if d := cmp.Diff(up[i+1:], tree.Ancestors(b), cmp.Transformer("nil", func(s []string) int { return len(s) })); d != "" {
					t.Fatalf("ancestors of %s: %v, of its ancestor %s: %v", a, up, b, tree.Ancestors(b))
				}
				if !slices.Contains(tree.Descendants(b), a) || slices.Contains(tree.Descendants(a), b) {
					t.Fatalf("%s is an ancestor of %s, whose descendants are %v, its own %v", b, a, tree.Descendants(a), tree.Descendants(b))
				}
			}
			for b := range tree.nodes {
				got, ok := tree.Common(a, b)
				lineB := append([]string{b}, tree.Ancestors(b)...)
				at := slices.IndexFunc(append([]string{a}, up...), func(c string) bool { return slices.Contains(lineB, c) })
				if ok != (at >= 0) || ok && got != append([]string{a}, up...)[at] {
					t.Fatalf("%s and %s have %q in common", a, b, got)
				}
			}
		}
	}
}

func TestAnnotated(t *testing.T) {
	tree := tree(t, zoo)
	for _, c := range []struct {
		dataset, wanted, class string
		want                   Coverage
		ok                     bool
	}{
		{"coco", "", "dog", CoverageYes, true},
		{"coco", "", "poodle", CoverageYes, true},
		{"coco", "", "raccoon", CoverageYes, true}, // an animal
		{"den", "", "raccoon", CoverageYes, true},
		{"den", "", "Waschbär", CoverageYes, true},
		{"den", "", "person", CoverageNo, true},
		{"street", "", "person", CoveragePartly, true},
		{"street", "", "car", CoverageYes, true},
		{"kennel", "", "dog", CoveragePartly, true},
		{"kennel", "", "beagle", CoveragePartly, true}, // it may be a pup
		{"kennel", "", "raccoon", CoverageNo, true},
		{"coco", "", "crowd", CoverageNo, false},
		{"coco", "", "ship", CoverageNo, false},
		{"elsewhere", "", "dog", CoverageNo, false},
		{"den", "Waschbär", "Waschbär", CoverageYes, true},
		{"den", "Waschbär", "Tier", CoveragePartly, true}, // mapped, but not wanted
		{"den", "Waschbär", "dog", CoverageNo, true},
		{"den", "Waschbär person", "pedestrian", CoverageYes, true}, // wanted, but not mapped
		{"den", "person", "Waschbär", CoverageNo, true},
		{"den", "person Fisch", "person", CoverageYes, true},
		{"den", "person Fisch", "Fisch", CoverageYes, true},
		{"den", "person Fisch", "dog", CoverageNo, false}, // who knows what a Fisch is
		{"street", "car", "car or van", CoveragePartly, true},
		{"elsewhere", "dog", "poodle", CoverageYes, true},
		{"elsewhere", "dog", "car", CoverageNo, true},
	} {
		if got, ok := tree.Annotated(c.dataset, Wants(strings.Fields(c.wanted)...), c.class); got != c.want || ok != c.ok {
			t.Errorf("%s in %s: %s %v, want %s %v", c.class, c.dataset, got, ok, c.want, c.ok)
		}
	}
	if got := tree.Unmapped("coco@2017", []string{"dog", "ship", "crowd"}); !slices.Equal(got, []string{"ship"}) {
		t.Errorf("unmapped: %v", got)
	}
}

func TestPath(t *testing.T) {
	tree := tree(t, zoo)
	for class, want := range map[string]string{
		"den:Waschbär": "raccoon animal", "den:animal": "animal", "den:poodle": "poodle dog animal", "den:lynx": "lynx",
		"kennel:pup": "pup dog animal", "street:car or van": "car or van", "coco:crowd": "crowd", "elsewhere:dog": "dog animal",
	} {
		dataset, name, _ := strings.Cut(class, ":")
		if got := strings.Join(tree.Path(dataset, name), " "); got != want {
			t.Errorf("%s: %s, want %s", class, got, want)
		}
	}
}

// TestSpace: of a dataset's label spaces the last counts unless a version is named.
func TestSpace(t *testing.T) {
	tree := tree(t, header+"\ndog\troot\t\nd@2:x\texact\tdog\nd@10:x\texact\tdog\n")
	for dataset, want := range map[string]string{"d": "d@10", "d@2": "d@2", "d@3": "", "dd": ""} {
		if got, ok := tree.Space(dataset); got != want || ok != (want != "") {
			t.Errorf("%s: %q", dataset, got)
		}
	}
}
