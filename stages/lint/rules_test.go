package lint

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/lint/evidence"
)

type wanted struct {
	line      string
	typ       schemas.FindingType
	id, class string
	low, high float64
	fix       *geometry.Box
}

type ruleCase struct {
	name   string
	sample schemas.Sample
	cfg    Config
	tree   tree
	rules  demands
	want   []wanted
}

// tree is a taxonomy; its zero value knows nothing.
type tree struct {
	above map[string][]string
	never []string // classes that the dataset never labels
}

func (t tree) Path(_, class string) []string { return append([]string{class}, t.above[class]...) }

func (tree) RulesOut(_ string, p schemas.Object, knows []string, class string) bool {
	_, own, ok := p.Origin()
	return ok && own != class && slices.Contains(knows, class)
}

func (t tree) Unlabeled(_, class string) bool { return slices.Contains(t.never, class) }

// halves makes all scores half of what they are.
type halves struct{}

func (halves) Score(_ string, _ schemas.FindingType, own float32) float32 { return own / 2 }

// demands are rules that say what they are told to.
type demands struct {
	violations []schemas.Violation
	unwanted   []string // classes
}

func (d demands) Check(context.Context, *schemas.Sample, []schemas.Object) ([]schemas.Violation, error) {
	return d.violations, nil
}

func (d demands) Keep(_ context.Context, _ *schemas.Sample, proposals []schemas.Object) ([]schemas.Object, error) {
	return slices.DeleteFunc(slices.Clone(proposals), func(o schemas.Object) bool { return slices.Contains(d.unwanted, o.Class) }), nil
}

// TestRules plays testdata/rules.txt, whose head describes its format.
func TestRules(t *testing.T) {
	data, err := os.ReadFile("testdata/rules.txt")
	if err != nil {
		t.Fatal(err)
	}
	cases, err := parse(string(data))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			knows := func(string) []string { return []string{"cat", "dog"} }
			l, err := New(c.cfg, Deps{Classes: of("cat", "dog"), Models: knows, Taxonomy: c.tree, Demands: c.rules, Version: "test"})
			if err != nil {
				t.Fatal(err)
			}
			out, err := l.Process(t.Context(), c.sample)
			if err != nil {
				t.Fatal(err)
			}
			got := out[0].Findings
			for i, w := range c.want {
				if i < len(got) && w.meets(got[i]) {
					continue
				}
				t.Errorf("want %s", w.line)
			}
			if t.Failed() || len(got) != len(c.want) {
				t.Errorf("got %d findings: %+v", len(got), got)
			}
		})
	}
}

// TestProposalsByOwnScores: what is missing follows from the model's own scores, whatever calibration has made of them since.
func TestProposalsByOwnScores(t *testing.T) {
	l, err := New(sure(), Deps{Classes: of("cat", "dog"), Taxonomy: tree{}, Demands: demands{}})
	if err != nil {
		t.Fatal(err)
	}
	doubts := func(calibrated float32) []schemas.Finding {
		t.Helper()
		o := schemas.Object{ID: "p1", Class: "dog", Box: geometry.Box{X1: 100, Y1: 100, X2: 200, Y2: 200}, Score: 0.9, Source: "m@1"}
		o.Calibrate(calibrated)
		out, err := l.Process(t.Context(), schemas.Sample{
			Image: schemas.ImageRef{W: 640, H: 480}, Proposals: []schemas.Object{o}, Stamps: []schemas.Stamp{{Step: "prelabel", Model: "m@1", Hash: "01"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return out[0].Findings
	}
	want := doubts(0.9)
	if len(want) != 1 || want[0].Type != schemas.FindingMissing {
		t.Fatalf("%+v", want)
	}
	if diff := gocmp.Diff(want, doubts(0.1)); diff != "" {
		t.Errorf("-as it is +calibrated\n%s", diff)
	}
}

// TestSwapToUnlabeled: a class that the dataset never labels is told, and not offered.
func TestSwapToUnlabeled(t *testing.T) {
	for _, never := range [][]string{nil, {"dog"}} {
		l, err := New(sure(), Deps{Classes: of("cat", "dog"), Taxonomy: tree{never: never}, Demands: demands{}})
		if err != nil {
			t.Fatal(err)
		}
		box := geometry.Box{X1: 100, Y1: 100, X2: 200, Y2: 200}
		out, err := l.Process(t.Context(), schemas.Sample{
			Image: schemas.ImageRef{W: 640, H: 480}, Objects: []schemas.Object{{ID: "a", Class: "cat", Box: box}}, Rank: schemas.RankHuman,
			Proposals: []schemas.Object{{ID: "p1", Class: "dog", Box: box, Score: 0.9, Source: "m@1"}}, Stamps: []schemas.Stamp{{Step: "prelabel", Model: "m@1", Hash: "01"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(out[0].Findings, func(f schemas.Finding) bool { return f.Type == schemas.FindingSwap })
		if i < 0 {
			t.Fatalf("never %v: %+v", never, out[0].Findings)
		}
		if f, want := out[0].Findings[i], map[bool]string{true: "dog"}[never == nil]; f.FixClass != want || !strings.Contains(f.Why, "a dog here") {
			t.Errorf("never %v: %+v, want %q", never, f, want)
		}
	}
}

func (w wanted) meets(f schemas.Finding) bool {
	const rounding = 1e-6
	return f.Type == w.typ && f.ObjectID == w.id && f.Class == w.class && strings.HasSuffix(f.Why, ".") &&
		float64(f.Score) >= w.low-rounding && float64(f.Score) <= w.high+rounding && (w.fix == nil || f.Fix != nil && near(*f.Fix, *w.fix))
}

// near: fixes of what was fitted are means of what the cells say.
func near(a, b geometry.Box) bool {
	const pixels = 3
	d := func(x, y float32) bool { return math.Abs(float64(x-y)) <= pixels }
	return d(a.X1, b.X1) && d(a.Y1, b.Y1) && d(a.X2, b.X2) && d(a.Y2, b.Y2)
}

// sure keeps findings that are more likely right than wrong, or nearly so.
func sure() Config {
	cfg := DefaultConfig()
	cfg.Rules.MinScore = 0.25
	return cfg
}

func parse(text string) (cases []ruleCase, err error) {
	for n, line := range strings.Split(text, "\n") {
		word := strings.Fields(line)
		if len(word) == 0 || word[0] == "#" {
			continue
		}
		if word[0] == "case" {
			cases = append(cases, ruleCase{name: strings.Join(word[1:], " "), cfg: sure(), tree: tree{above: map[string][]string{}}})
			continue
		}
		if len(cases) == 0 {
			return nil, fmt.Errorf("line %d: no case yet", n+1)
		}
		if err := cases[len(cases)-1].read(line, word); err != nil {
			return nil, fmt.Errorf("line %d: %w", n+1, err)
		}
	}
	return cases, nil
}

func (c *ruleCase) read(line string, word []string) (err error) {
	number := func(s string) float64 {
		v, e := strconv.ParseFloat(s, 64)
		if e != nil && err == nil {
			err = e
		}
		return v
	}
	box := func(s string) (b geometry.Box) {
		p := strings.Split(s, ",")
		return geometry.Box{X1: float32(number(p[0])), Y1: float32(number(p[1])), X2: float32(number(p[2])), Y2: float32(number(p[3]))}
	}
	name := func(s string) string { return strings.TrimPrefix(s, "-") }
	s := &c.sample
	switch word[0] {
	case "image":
		s.Image.W, s.Image.H = int(number(word[1])), int(number(word[2]))
		switch {
		case slices.Contains(word, "human"):
			s.Rank = schemas.RankHuman
		case slices.Contains(word, "automatic"):
			s.Rank = schemas.RankAutomatic
		}
		stamp := schemas.Stamp{Step: "prelabel", Model: "m@1", Hash: "00"}
		if slices.Contains(word, "unseen") {
			stamp.Model, stamp.Hash = "", ""
		}
		s.Stamps = append(s.Stamps, stamp)
	case "object":
		o := schemas.Object{ID: word[1], Class: name(word[2]), Box: box(word[3])}
		if len(word) > 4 {
			o.Score = float32(number(word[4]))
		}
		s.Objects = append(s.Objects, o)
	case "proposal":
		p := schemas.Object{Class: word[1], Score: float32(number(word[2])), Box: box(word[3])}
		if len(word) > 4 {
			p.Canonical, p.Lineage, p.Refine = p.Class, "zoo@1 coco@2017:"+word[4]+"<"+p.Class, true
		}
		s.Proposals = append(s.Proposals, p)
		s.Candidates = cells(s.Candidates, p)
	case "unlabeled":
		c.tree.never = append(c.tree.never, word[1])
	case "above":
		c.tree.above[word[1]] = word[2:]
	case "off":
		c.cfg.Datasets = map[string]Rules{"": {Off: []schemas.FindingType{schemas.FindingType(word[1])}}}
	case "violation":
		c.rules.violations = append(c.rules.violations, schemas.Violation{
			ObjectID: name(word[1]), Severity: schemas.Severity(word[2]), Rule: "r", Message: strings.Join(word[3:], " "),
		})
	case "unwanted":
		c.rules.unwanted = append(c.rules.unwanted, word[1])
	case "override":
		s.Overrides = append(s.Overrides, schemas.Override{
			Type: schemas.FindingType(word[1]), ObjectID: name(word[2]), Reason: strings.Join(word[3:], " "),
		})
	case "finding":
		low, high, _ := strings.Cut(word[4], "..")
		w := wanted{line, schemas.FindingType(word[1]), name(word[2]), name(word[3]), number(low), number(high), nil}
		if len(word) > 5 {
			fix := box(word[6])
			w.fix = &fix
		}
		c.want = append(c.want, w)
	default:
		return fmt.Errorf("unknown word %q", word[0])
	}
	return err
}

// cells adds what the cells of a model say about a thing that it proposes: some agree with the best, nearly.
func cells(all []schemas.Candidates, p schemas.Object) []schemas.Candidates {
	if all == nil {
		all = []schemas.Candidates{{Model: "m@1", Classes: []string{"cat", "dog"}}}
	}
	c := &all[0]
	at := slices.Index(c.Classes, p.Class)
	if at < 0 {
		at = len(c.Classes)
		c.Classes = append(c.Classes, p.Class)
	}
	for i := range 9 {
		dx, dy, score := 0.01*float32(i%3-1)*p.Box.W(), 0.01*float32(i/3-1)*p.Box.H(), p.Score*(1-float32(i)/10)
		box := geometry.Box{X1: p.Box.X1 + dx, Y1: p.Box.Y1 + dy, X2: p.Box.X2 + dx, Y2: p.Box.Y2 + dy}
		if i == 0 {
			box = p.Box
		}
		c.Cells = append(c.Cells, schemas.Candidate{Box: box, Score: score, Scores: []schemas.ClassScore{{Class: uint16(at), Score: score}}})
	}
	slices.SortStableFunc(c.Cells, func(a, b schemas.Candidate) int { return cmp.Compare(b.Score, a.Score) })
	return all
}

// of says that a model which knows these classes has looked at every sample.
func of(classes ...string) func(*schemas.Sample) []string {
	return func(*schemas.Sample) []string { return classes }
}

// FuzzRules gives the rules boxes and scores of any kind: no panic, scores in [0,1], in order, few enough for a message.
func FuzzRules(f *testing.F) {
	f.Add(float32(0), float32(0), float32(10), float32(10), float32(0.5), uint8(3))
	f.Add(float32(math.NaN()), float32(math.Inf(1)), float32(-1), float32(1e38), float32(math.NaN()), uint8(250))
	f.Fuzz(func(t *testing.T, x, y, w, h, score float32, n uint8) {
		s := schemas.Sample{Rank: schemas.RankHuman, Stamps: []schemas.Stamp{{Step: "prelabel", Hash: "00"}}, Image: schemas.ImageRef{W: int(n), H: 50}}
		for i := range n {
			d := float32(i)
			o := schemas.Object{ID: fmt.Sprint(i), Class: []string{"cat", "dog", "eel"}[i%3], Box: geometry.Box{X1: x + d*w, Y1: y, X2: x + d*w + w, Y2: y + h}, Score: score}
			s.Objects = append(s.Objects, o)
			o.Box.X1, o.Score = x-d, score/(d+1)
			s.Proposals = append(s.Proposals, o)
			s.Candidates = cells(s.Candidates, o)
		}
		l, err := New(DefaultConfig(), Deps{Classes: of("cat", "dog"), Taxonomy: tree{above: map[string][]string{"dog": {"cat"}}}, Demands: demands{}})
		if err != nil {
			t.Fatal(err)
		}
		out, err := l.Process(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		got := out[0].Findings
		if len(got) > maxFindings {
			t.Errorf("%d findings", len(got))
		}
		for i, f := range got {
			if !(f.Score > 0 && f.Score <= 1) || i > 0 && f.Score > got[i-1].Score {
				t.Errorf("finding %d: %+v", i, f)
			}
		}
	})
}

// TestSpecialist: what is proposed as a super-class may be whatever the very model that proposes it does not tell apart.
func TestSpecialist(t *testing.T) {
	cases, err := parse("case dog\nimage 200 200 by human\nabove dog animal\nobject a dog 20,20,120,120\nproposal animal 0.9 20,20,120,120 cat")
	if err != nil {
		t.Fatal(err)
	}
	s := cases[0].sample
	s.Proposals[0].Source = "cats@1"
	for _, knows := range [][]string{{"cat"}, {"cat", "dog"}} {
		models := map[string][]string{"cats@1": knows, "other@1": {"dog"}}
		l, err := New(sure(), Deps{Classes: of("animal"), Models: func(id string) []string { return models[id] }, Taxonomy: cases[0].tree, Demands: demands{}})
		if err != nil {
			t.Fatal(err)
		}
		v, err := l.view(t.Context(), &s)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := v.alike(s.Proposals[0], s.Objects[0]), len(knows) == 1; got != want {
			t.Errorf("by a model that knows %v an animal may be a dog: %v", knows, got)
		}
	}
}

// TestOpinions has two models of one mind, and one that puts the box elsewhere or knows other classes.
func TestOpinions(t *testing.T) {
	label, elsewhere := geometry.Box{X1: 50, Y1: 50, X2: 150, Y2: 150}, geometry.Box{X1: 50, Y1: 50, X2: 125, Y2: 125}
	saw := func(model string, b geometry.Box, class string) schemas.Candidates {
		return cells([]schemas.Candidates{{Model: model, Classes: []string{class}}}, schemas.Object{Class: class, Box: b, Score: 0.8})[0]
	}
	doubts := func(all ...schemas.Candidates) map[schemas.FindingType]float32 {
		s := schemas.Sample{
			Image: schemas.ImageRef{W: 200, H: 200}, Rank: schemas.RankHuman, Objects: []schemas.Object{{ID: "a", Class: "dog", Box: label}},
			Candidates: all, Stamps: []schemas.Stamp{{Step: "prelabel", Model: "m@1", Hash: "00"}},
		}
		l, err := New(sure(), Deps{Classes: of("dog"), Taxonomy: tree{}, Demands: demands{}})
		if err != nil {
			t.Fatal(err)
		}
		l.cfg.Rules.MinScore = 1e-4
		done, err := l.Process(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		out := map[schemas.FindingType]float32{}
		for _, f := range done[0].Findings {
			out[f.Type] = f.Score
		}
		return out
	}
	one, other := doubts(saw("m@1", label, "dog")), doubts(saw("m@1", elsewhere, "dog"))
	both := doubts(saw("m@1", label, "dog"), saw("n@1", elsewhere, "dog"))
	if !(one[schemas.FindingLoose] < both[schemas.FindingLoose] && both[schemas.FindingLoose] < other[schemas.FindingLoose]) {
		t.Errorf("loose: %.4f by one, %.4f by the other, %.4f by both", one[schemas.FindingLoose], other[schemas.FindingLoose], both[schemas.FindingLoose])
	}
	if silent := doubts(saw("m@1", elsewhere, "dog"), saw("n@1", geometry.Box{X2: 20, Y2: 20}, "cow"), saw("o@1", geometry.Box{X1: 170, Y1: 170, X2: 190, Y2: 190}, "horse")); silent[schemas.FindingEdge] < 0.7*other[schemas.FindingEdge] {
		t.Errorf("edge: %.4f beside two models of other classes that see nothing there, %.4f without them", silent[schemas.FindingEdge], other[schemas.FindingEdge])
	}
	if unseen := doubts(saw("m@1", elsewhere, "dog"), saw("n@1", geometry.Box{X2: 20, Y2: 20}, "dog")); unseen[schemas.FindingEdge] > 0.7*other[schemas.FindingEdge] {
		t.Errorf("edge: %.4f beside a model that knows the class and sees nothing there, %.4f without it", unseen[schemas.FindingEdge], other[schemas.FindingEdge])
	}
	agreed, blind := doubts(saw("m@1", label, "dog"), saw("n@1", label, "dog")), doubts(saw("m@1", label, "dog"), saw("n@1", label, "cow"))
	if x, beside := blind[schemas.FindingSwap], agreed[schemas.FindingSwap]; x > 4*beside {
		t.Errorf("swap: %.4f by a model beside one that does not know the class, %.4f beside one that does", x, beside)
	}
}

// TestOfferedBox: what several models agree on is offered, whatever one of them makes of it that is hardly sure, or far off beside two others.
func TestOfferedBox(t *testing.T) {
	label, truth, long := geometry.Box{X1: 130, Y1: 130, X2: 275, Y2: 275}, geometry.Box{X1: 150, Y1: 150, X2: 250, Y2: 250}, geometry.Box{X1: 150, Y1: 150, X2: 250, Y2: 360}
	l, err := New(sure(), Deps{Classes: of("dog"), Taxonomy: tree{}, Demands: demands{}})
	if err != nil {
		t.Fatal(err)
	}
	type sees struct {
		box   geometry.Box
		score float32
	}
	for name, c := range map[string]struct {
		models []sees
		want   geometry.Box
	}{
		"one that is hardly sure": {[]sees{{truth, 0.9}, {long, 0.02}}, truth},
		"the other way round":     {[]sees{{long, 0.02}, {truth, 0.9}}, truth},
		"one of three is far off": {[]sees{{long, 0.9}, {truth, 0.8}, {truth, 0.7}}, truth},
		"two as sure":             {[]sees{{truth, 0.8}, {geometry.Box{X1: 150, Y1: 150, X2: 250, Y2: 262}, 0.8}}, geometry.Box{X1: 150, Y1: 150, X2: 250, Y2: 256}},
	} {
		s := schemas.Sample{
			Image: schemas.ImageRef{W: 400, H: 400}, Rank: schemas.RankHuman, Objects: []schemas.Object{{ID: "a", Class: "dog", Box: label}},
			Stamps: []schemas.Stamp{{Step: "prelabel", Model: "m@1", Hash: "00"}},
		}
		for k, m := range c.models {
			s.Candidates = append(s.Candidates, cells([]schemas.Candidates{{Model: fmt.Sprintf("m%d@1", k), Classes: []string{"dog"}}}, schemas.Object{Class: "dog", Box: m.box, Score: m.score})[0])
		}
		done, err := l.Process(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(done[0].Findings, func(f schemas.Finding) bool { return f.Type == schemas.FindingLoose && f.Fix != nil })
		if i < 0 || !near(*done[0].Findings[i].Fix, c.want) {
			t.Errorf("%s: want a loose box and %v: %+v", name, c.want, done[0].Findings)
		}
	}
}

// TestProcessKeepsWhatIsNotItsOwn runs twice over a sample that people labeled, and then over what they submitted of it.
func TestProcessKeepsWhatIsNotItsOwn(t *testing.T) {
	l, err := New(DefaultConfig(), Deps{Classes: of(), Taxonomy: tree{}, Demands: demands{}})
	if err != nil {
		t.Fatal(err)
	}
	in := schemas.Sample{
		Stage: schemas.StageSegmented, Rank: schemas.RankHuman, Revision: 4, Image: schemas.ImageRef{W: 10, H: 10},
		Objects:  []schemas.Object{{ID: "a", Class: "cat"}},
		Findings: []schemas.Finding{{Type: "foreign", Score: 0.5, Why: "Another step doubts it."}, {Type: schemas.FindingMissing, Score: 0.9}},
	}
	for range 2 {
		out, err := l.Process(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		in = out[0]
	}
	if len(in.Findings) != 2 || in.Findings[0].Type != schemas.FindingDegenerate || in.Findings[1].Type != "foreign" {
		t.Errorf("%+v", in.Findings)
	}
	if in.Stage != schemas.StageLinted || in.Rank != schemas.RankHuman || in.Revision != 4 || len(in.Stamps) != 2 {
		t.Errorf("%+v", in)
	}
	in.Stage = schemas.StageSubmitted
	out, err := l.Process(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if got := out[0].Findings; len(got) != 1 || got[0].Type != schemas.FindingDegenerate {
		t.Errorf("what the person was shown is on the label: %+v", got)
	}
}

// told is what the database says of every sample.
type told struct {
	twins  []evidence.Twin
	losses []evidence.Losses
}

func (d told) Twins(context.Context, *schemas.Sample) []evidence.Twin { return d.twins }

func (d told) Losses(string, schemas.SampleID) []evidence.Losses { return d.losses }

// TestTwinOfCopies: of two labels at one place, one of which its twin has, one is removed, and the other left.
func TestTwinOfCopies(t *testing.T) {
	a, b := geometry.Box{X1: 20, Y1: 20, X2: 120, Y2: 116}, geometry.Box{X1: 20, Y1: 20, X2: 120, Y2: 120}
	d := told{twins: []evidence.Twin{{Label: schemas.Label{UniqueID: "0001.jpg", Rank: schemas.RankReviewed, Image: schemas.ImageRef{W: 200, H: 200}, Objects: []schemas.Object{{Class: "cat", Box: b}}}}}}
	l, err := New(sure(), Deps{Classes: of(), Taxonomy: tree{}, Demands: demands{}, Twins: d})
	if err != nil {
		t.Fatal(err)
	}
	out, err := l.Process(t.Context(), schemas.Sample{Rank: schemas.RankHuman, Image: schemas.ImageRef{W: 200, H: 200}, Objects: []schemas.Object{
		{ID: "a", Class: "cat", Box: a}, {ID: "b", Class: "cat", Box: b}, {ID: "c", Class: "cat", Box: geometry.Box{X1: 120, Y1: 120, X2: 20, Y2: 20}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range out[0].Findings {
		got = append(got, fmt.Sprintf("%s %s", f.Type, f.ObjectID))
	}
	if !slices.Equal(got, []string{"degenerate c", "duplicate b"}) {
		t.Errorf("%v, want that b is told to be there twice and c to be the wrong way round", got)
	}
}

// TestTold: findings by near duplicates and by losses point at their labels, say whose word it is, and have a fix where there is one. No
// model has to have looked.
func TestTold(t *testing.T) {
	at := func(x float32) geometry.Box { return geometry.Box{X1: x, X2: x + 50, Y2: 50} }
	d := told{
		twins: []evidence.Twin{{Label: schemas.Label{UniqueID: "0001.jpg", Rank: schemas.RankReviewed, Image: schemas.ImageRef{W: 400, H: 100}, Objects: []schemas.Object{
			{Class: "dog", Box: at(0)}, {Class: "cat", Box: geometry.Box{X1: 60, X2: 110, Y2: 15}}, {Class: "ape", Box: at(240)},
		}}}},
		losses: []evidence.Losses{
			{RunID: "run7", ObjectID: "a", Class: "cat", Kind: evidence.LabelError, Presentations: 6, AUM: -1, Outlier: 2, TrendQ: 0.01},
			{RunID: "run7", ObjectID: "b", Class: "cat", Kind: "edge", AUM: 0.1, Outlier: 1, TrendQ: 0.01},
		},
	}
	l, err := New(sure(), Deps{Classes: of(), Taxonomy: tree{}, Demands: demands{}, Twins: d, Losses: d})
	if err != nil {
		t.Fatal(err)
	}
	out, err := l.Process(t.Context(), schemas.Sample{Rank: schemas.RankHuman, Image: schemas.ImageRef{W: 400, H: 100}, Objects: []schemas.Object{
		{ID: "a", Class: "cat", Box: at(0)}, {ID: "b", Class: "cat", Box: at(60)}, {ID: "c", Class: "cat", Box: at(160)},
	}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range out[0].Findings {
		got = append(got, fmt.Sprintf("%s %s %.2f %v %s removes %t: %s", f.Type, f.ObjectID, f.Score, f.Fix, f.FixClass, f.Removes(), f.Why))
	}
	want := []string{
		"loss a 0.88 <nil>  removes false: Training run run7 argued with this cat in 6 epochs (mean margin -1.00), and the longer it trained the more.",
		"twin a 0.62 <nil> dog removes false: The near-duplicate image 0001.jpg has a dog here, not a cat.",
		"twin b 0.62 &{60 0 110 15}  removes false: The near-duplicate image 0001.jpg has this cat elsewhere (overlap 30 %).",
		"twin c 0.62 <nil>  removes true: The near-duplicate image 0001.jpg has no label here.",
		"twin  0.62 &{240 0 290 50} ape removes false: The near-duplicate image 0001.jpg has an ape here, and no label covers it.",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// What was learned makes the score, and the threshold is about that; the own score stays beside it.
func TestLearnedScores(t *testing.T) {
	l, err := New(DefaultConfig(), Deps{Classes: of(), Taxonomy: tree{}, Demands: demands{}, Learned: halves{}})
	if err != nil {
		t.Fatal(err)
	}
	out, err := l.Process(t.Context(), schemas.Sample{Image: schemas.ImageRef{W: 10, H: 10}, Objects: []schemas.Object{{ID: "a", Class: "cat"}}})
	if err != nil {
		t.Fatal(err)
	}
	if got := out[0].Findings; len(got) != 1 || got[0].Score != 0.5 || got[0].Prior != 1 {
		t.Errorf("%+v", got)
	}
}

// dozing is a taxonomy of which the last answer comes when nobody waits any more.
type dozing struct {
	tree
	asked, last int
	end         context.CancelFunc
}

func (d *dozing) Path(dataset, class string) []string {
	if d.asked++; d.asked == d.last {
		d.end()
	}
	return d.tree.Path(dataset, class)
}

// Lint ends with its context, in the midst of labels.
func TestLintEnds(t *testing.T) {
	const n = 2000
	s := schemas.Sample{Image: schemas.ImageRef{W: 1000, H: 1000}}
	for i := range n {
		x := float32(i % 900)
		s.Objects = append(s.Objects, schemas.Object{ID: strconv.Itoa(i), Class: strconv.Itoa(i), Box: geometry.Box{X1: x, X2: x + 50, Y2: 50}})
	}
	ctx, cancel := context.WithCancel(t.Context())
	d := &dozing{last: 10, end: cancel}
	l, err := New(DefaultConfig(), Deps{Classes: of(), Taxonomy: d, Demands: demands{}})
	if err != nil {
		t.Fatal(err)
	}
	if out, err := l.Process(ctx, s); !errors.Is(err, context.Canceled) || d.asked > n/2 {
		t.Errorf("%d samples, %v, after %d questions", len(out), err, d.asked)
	}
}

// never is what reviewers taught who never change anything.
type never struct{}

func (never) Score(string, schemas.FindingType, float32) float32 { return 0.01 }

// What reviewers have taught to hold back is still shown on a few samples, always the same, so that it can be unlearned, and no more
// likely than was learned.
func TestLearnedScoresCanBeUnlearned(t *testing.T) {
	l, err := New(DefaultConfig(), Deps{Classes: of(), Taxonomy: tree{}, Demands: demands{}, Learned: never{}})
	if err != nil {
		t.Fatal(err)
	}
	const n = 2000
	shown := 0
	for i := range n {
		s := schemas.Sample{
			ID: schemas.NewSampleID("street", strconv.Itoa(i), schemas.Hash{}), Image: schemas.ImageRef{W: 10, H: 10},
			Objects: []schemas.Object{{ID: "a", Class: "cat"}},
		}
		first, err := l.Process(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		again, err := l.Process(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		got := first[0].Findings
		if shown += len(got); len(again[0].Findings) != len(got) || len(got) > 0 && (got[0].Score != 0.01 || got[0].Prior != 1) {
			t.Fatalf("%+v, again %+v", got, again[0].Findings)
		}
	}
	if share := float64(shown) / n; share < 0.03 || share > 0.08 {
		t.Errorf("%.3f of the samples carry the finding", share)
	}
}

func TestBadConfigs(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"min_score: 0":                         func(c *Config) { c.Rules.MinScore = 0 },
		"match_iou: 1":                         func(c *Config) { c.Rules.MatchIoU = 1 },
		"duplicate_iou: -1":                    func(c *Config) { c.Rules.DuplicateIoU = -1 },
		"min_side: 0":                          func(c *Config) { c.Rules.MinSide = 0 },
		"max_aspect: 1":                        func(c *Config) { c.Rules.MaxAspect = 1 },
		`off: "typo": there is no such rule`:   func(c *Config) { c.Rules.Off = []schemas.FindingType{"typo"} },
		"datasets: d: min_score: 2: must be a": func(c *Config) { c.Datasets = map[string]Rules{"d": {MinScore: 2}} },
	} {
		cfg := DefaultConfig()
		change(&cfg)
		if _, err := New(cfg, Deps{Classes: of(), Taxonomy: tree{}, Demands: demands{}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
