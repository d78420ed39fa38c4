package prelabel

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/prelabel/fuse"
)

// wider has learned that people draw boxes 10 pixels further to the right, accept half of what scores say, and that the last
// model is the one to follow.
type wider struct{}

func (wider) Fuse(_ string, models []fuse.Model, perModel [][]schemas.Object) []schemas.Object {
	return perModel[len(models)-1]
}

func (wider) Move(_, _, _ string, b geometry.Box, w, h int) geometry.Box {
	b.X2 += 10
	return b.Clip(w, h)
}

func (wider) Probability(_, _, _ string, score float32) float32 { return score / 2 }

// noCats keeps everything but cats.
type noCats struct{}

func (noCats) Keep(_ context.Context, _ *schemas.Sample, objects []schemas.Object) ([]schemas.Object, error) {
	var out []schemas.Object
	for _, o := range objects {
		if o.Class != "cat" {
			out = append(out, o)
		}
	}
	return out, nil
}

// zoo knows that raccoons and dogs are animals, and no more.
type zoo struct{ Classes }

func (zoo) Path(_, class string) []string {
	if class == "raccoon" || class == "dog" {
		return []string{class, "animal"}
	}
	return []string{class}
}

// TestSuperClassesGiveWay: what one model names needs nobody to refine what another calls by a super-class.
func TestSuperClassesGiveWay(t *testing.T) {
	super := func(x float32) schemas.Object {
		o := found("coco@1", "animal", 0.9, x)
		o.Canonical, o.Refine = "animal", true
		return o
	}
	coco := opinion{model: fuse.Model{ID: "coco@1", Classes: []string{"animal"}}, found: []schemas.Object{super(0), super(50), super(100)}}
	own := opinion{model: fuse.Model{ID: "own@1", Classes: []string{"raccoon", "bin"}}, found: []schemas.Object{found("own@1", "raccoon", 0.8, 1), found("own@1", "bin", 0.7, 50)}}
	p, err := New(DefaultConfig(), Deps{Classes: zoo{}})
	if err != nil {
		t.Fatal(err)
	}
	s := schemas.Sample{Image: schemas.ImageRef{W: 200, H: 100}}
	if err := p.label(t.Context(), &s, []opinion{coco, own}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range s.Objects {
		got = append(got, fmt.Sprintf("%s %.0f", o.Class, o.Box.X1))
	}
	if diff := cmp.Diff([]string{"animal 50", "animal 100", "raccoon 1", "bin 50"}, got); diff != "" {
		t.Error(diff)
	}
}

// TestProposalsOfAllModels: a model with high scores does not silence another.
func TestProposalsOfAllModels(t *testing.T) {
	crowd, few := opinion{model: fuse.Model{ID: "a@1"}}, opinion{model: fuse.Model{ID: "b@1"}}
	for i := range 1000 {
		crowd.found = append(crowd.found, found("a@1", "dog", 0.9, float32(30*i)))
	}
	for i := range 5 {
		few.found = append(few.found, found("b@1", "dog", 0.1, float32(30*i)))
	}
	cfg := DefaultConfig()
	p, err := New(cfg, Deps{})
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, o := range p.proposals(&schemas.Sample{}, []opinion{crowd, few}) {
		count[o.Source]++
	}
	if count["a@1"] != cfg.MaxProposals/2 || count["b@1"] != 5 {
		t.Errorf("%v", count)
	}
}

func found(source, class string, score, x float32) schemas.Object {
	return schemas.Object{Class: class, Box: geometry.Box{X1: x, Y1: 0, X2: x + 20, Y2: 20}, Score: score, Source: source}
}

// TestCandidatesFollowConventions: cells lie where the proposals made of them do, and so do their edges.
func TestCandidatesFollowConventions(t *testing.T) {
	p, err := New(DefaultConfig(), Deps{Learned: wider{}})
	if err != nil {
		t.Fatal(err)
	}
	box := geometry.Box{X1: 10, Y1: 20, X2: 50, Y2: 60}
	sides := func(x, step float32) *schemas.Sides {
		return &schemas.Sides{X: x, Y: 40, StepX: step, StepY: 4, P: []byte{255}}
	}
	scored := []schemas.ClassScore{{Class: 1, Score: 0.5}}
	s := schemas.Sample{Image: schemas.ImageRef{W: 200, H: 100}}
	got := p.candidates(&s, []opinion{{}, {looks: []schemas.Candidates{{Model: "m@1", Classes: []string{"cat", "dog"}, Cells: []schemas.Candidate{
		{Box: box, Scores: scored, Sides: sides(30, 4)}, {Box: box, Scores: scored}, {Box: box, Sides: sides(30, 4)},
	}}}}})
	moved := box
	moved.X2 += 10
	want := []schemas.Candidate{{Box: moved, Scores: scored, Sides: sides(35, 5)}, {Box: moved, Scores: scored}, {Box: box, Sides: sides(30, 4)}}
	if diff := cmp.Diff(want, got[0].Cells); diff != "" || len(got) != 1 {
		t.Errorf("-want +got\n%s", diff)
	}
}

// TestLabel follows the detections of two models to proposals and objects.
func TestLabel(t *testing.T) {
	a := opinion{model: fuse.Model{ID: "a@1", Classes: []string{"cat", "dog"}}, found: []schemas.Object{
		found("a@1", "dog", 0.9, 0), found("a@1", "dog", 0.8, 5), found("a@1", "cat", 0.7, 50),
	}}
	b := opinion{model: fuse.Model{ID: "b@1", Classes: []string{"dog", "fox"}}, found: []schemas.Object{
		found("b@1", "dog", 0.95, 2), found("b@1", "fox", 0.9, 50), found("b@1", "fox", 0.5, 80),
	}}
	moved := func(id string, o schemas.Object, score float32) schemas.Object {
		o.ID, o.Raw, o.Score, o.RawScore = id, o.Box, score, o.Score
		o.Box.X2 += 10
		return o
	}
	named := func(id string, o schemas.Object) schemas.Object { o.ID = id; return o }
	for _, c := range []struct {
		name      string
		deps      Deps
		opinions  []opinion
		rank      schemas.Rank
		objects   []schemas.Object
		proposals string
	}{
		{"one model", Deps{}, []opinion{a}, schemas.RankNone, []schemas.Object{named("o1", a.found[0]), named("o2", a.found[2])}, "dog dog cat"},
		{
			"two, nothing learned: the first that knows a class",
			Deps{},
			[]opinion{a, b},
			schemas.RankNone,
			[]schemas.Object{named("o1", a.found[0]), named("o2", b.found[1]), named("o3", a.found[2]), named("o4", b.found[2])},
			"dog dog fox dog cat fox",
		},
		{
			"two, learned, with rules",
			Deps{Learned: wider{}, Rules: noCats{}},
			[]opinion{a, b},
			schemas.RankNone,
			[]schemas.Object{moved("o1", b.found[0], 0.475), moved("o2", b.found[1], 0.45)},
			"dog dog fox dog cat fox",
		},
		{"rules", Deps{Rules: noCats{}}, []opinion{a}, schemas.RankNone, []schemas.Object{named("o1", a.found[0])}, "dog dog cat"},
		{"a person's labels", Deps{Learned: wider{}}, []opinion{a}, schemas.RankHuman, []schemas.Object{{ID: "mine"}}, "dog dog cat"},
		{"nothing found", Deps{Learned: wider{}}, []opinion{{}, {}}, schemas.RankNone, nil, ""},
	} {
		p, err := New(DefaultConfig(), c.deps)
		if err != nil {
			t.Fatal(err)
		}
		s := schemas.Sample{Rank: c.rank, Image: schemas.ImageRef{W: 200, H: 100}}
		if c.rank == schemas.RankHuman {
			s.Objects = []schemas.Object{{ID: "mine"}}
		}
		if err := p.label(t.Context(), &s, c.opinions); err != nil {
			t.Fatal(err)
		}
		if len(s.Objects)+len(c.objects) > 0 {
			if diff := cmp.Diff(c.objects, s.Objects); diff != "" {
				t.Errorf("%s: objects:\n%s", c.name, diff)
			}
		}
		var classes []string
		for i, o := range s.Proposals {
			classes = append(classes, o.Class)
			if i > 0 && o.Score > s.Proposals[i-1].Score {
				t.Errorf("%s: proposals are not the best first", c.name)
			}
			if c.deps.Learned != nil && (o.Raw == geometry.Box{} || o.RawScore < 0.5 || o.Score != o.RawScore/2) {
				t.Errorf("%s: %+v: want a moved box and half the model's score, both own ones kept", c.name, o)
			}
		}
		if got := strings.Join(classes, " "); got != c.proposals {
			t.Errorf("%s: proposals %s, want %s", c.name, got, c.proposals)
		}
	}
	for _, o := range [][]opinion{{a}, {b}} {
		for _, f := range o[0].found {
			if f.ID != "" || f.Raw != (geometry.Box{}) || f.RawScore != 0 {
				t.Errorf("the models' own list was changed: %+v", f)
			}
		}
	}
}
