package evidence

import (
	"math"
	"slices"
	"strings"
	"testing"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/pixels"
)

func rect(x1, y1, x2, y2 float32) geometry.Box { return geometry.Box{X1: x1, Y1: y1, X2: x2, Y2: y2} }

func same(label schemas.Object, classes []string) []bool {
	out := make([]bool, len(classes))
	for i, c := range classes {
		out[i] = c == label.Class
	}
	return out
}

// sample is an image of 200 by 200 with a label, and cells of one model that put a cat at true.
func sample(label, truth geometry.Box) *schemas.Sample {
	c := schemas.Candidates{Model: "m@1", Classes: []string{"cat", "dog"}}
	for i := range 9 {
		d := float32(i%3) - 1
		c.Cells = append(c.Cells, schemas.Candidate{
			Box: rect(truth.X1+d, truth.Y1-d, truth.X2+d, truth.Y2-d), Score: 0.9,
			Scores: []schemas.ClassScore{{Class: 0, Score: 0.9}, {Class: 1, Score: 0.1}},
		})
	}
	return &schemas.Sample{
		Image: schemas.ImageRef{W: 200, H: 200}, Objects: []schemas.Object{{ID: "a", Class: "cat", Box: label}}, Candidates: []schemas.Candidates{c},
	}
}

// value is a number of the evidence about the first label.
func value(t *testing.T, s *Scene, name string) float64 {
	t.Helper()
	for i, n := range BoxNames() {
		if n == name {
			return float64(s.Box(0)[i])
		}
	}
	t.Fatalf("there is no evidence %s", name)
	return 0
}

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if !(math.Abs(got-want) <= within) {
		t.Errorf("%s is %.4f, want %.4f", what, got, want)
	}
}

func TestEdges(t *testing.T) {
	truth := rect(50, 50, 150, 150)
	for _, c := range []struct {
		name                             string
		label                            geometry.Box
		mean, first, fourth, shift, side float64
	}{
		{"right", truth, 0, 0, 0, 0, -1},
		{"loose", rect(30, 35, 165, 170), 0.175, 0.15, 0.20, 0.035, -1},
		{"tight", rect(70, 65, 135, 130), -0.175, -0.20, -0.15, 0.035, -1},
		{"shift", rect(80, 50, 180, 150), 0, -0.30, 0.30, 0.30, -1},
		{"edge", rect(50, 50, 170, 150), 0.05, 0, 0.20, 0.10, 2},
	} {
		s := New(sample(c.label, truth), Context{Related: same})
		for _, w := range []string{"edge.label.", "edge.free."} {
			near(t, c.name+": "+w+"mean", value(t, s, w+"mean"), c.mean, 0.01)
			near(t, c.name+": "+w+"first", value(t, s, w+"first"), c.first, 0.01)
			near(t, c.name+": "+w+"fourth", value(t, s, w+"fourth"), c.fourth, 0.01)
			near(t, c.name+": "+w+"shift", value(t, s, w+"shift"), c.shift, 0.015)
		}
		f, ok := s.Fit(0)
		if !ok || f.Box.IoU(truth) < 0.98 {
			t.Errorf("%s: fit %+v, %v", c.name, f.Box, ok)
		}
		if c.side >= 0 {
			for e, x := range s.Edges(0) {
				want := 0.0
				if float64(e) == c.side {
					want = 0.2
					if moved := Moved(c.label, f.Box, e); moved.IoU(truth) < 0.98 {
						t.Errorf("%s: with its edge moved %+v", c.name, moved)
					}
				}
				near(t, c.name+": residual of one edge", float64(x[slices.Index(EdgeNames(), "mean.residual")]), want, 0.01)
			}
		}
	}
	if s := New(sample(rect(0, 0, 20, 20), truth), Context{Related: same}); !math.IsNaN(value(t, s, "edge.free.mean")) {
		t.Error("no cell explains the label, and yet there are residuals")
	}
}

func TestClassAndSupport(t *testing.T) {
	truth := rect(50, 50, 150, 150)
	in := sample(truth, truth)
	s := New(in, Context{Related: same})
	near(t, "posterior", value(t, s, "class.wide.posterior"), 1, 0.001)
	near(t, "support", value(t, s, "support.same5"), 0.9, 0.001)
	in.Objects[0].Class = "dog"
	s = New(in, Context{Related: same})
	near(t, "posterior of another class", value(t, s, "class.wide.posterior"), 0.1/0.9, 0.001)
	if class, score := s.Instead(0); class != "cat" || score != 0.9 || s.Seen(0) != 0.1 {
		t.Errorf("instead %s %.2f, seen %.2f", class, score, s.Seen(0))
	}
	in.Objects[0].Class = "zebra"
	near(t, "known", value(t, New(in, Context{Related: same}), "support.known"), 0, 0)
}

func TestLikelihood(t *testing.T) {
	in := sample(rect(50, 50, 150, 150), rect(50, 50, 150, 150))
	p := make([]byte, 4*8)
	for e := range 4 {
		p[8*e+4], p[8*e+5] = 128, 127 // 4.5 bins of 10 pixels from the center
	}
	in.Candidates[0].Cells = in.Candidates[0].Cells[:1]
	in.Candidates[0].Cells[0].Sides = &schemas.Sides{X: 100, Y: 100, StepX: 10, StepY: 10, P: p}
	s := New(in, Context{Related: same})
	near(t, "at 5 bins", value(t, s, "nll.mean"), -math.Log(127.0/255), 1e-3)
	in.Objects[0].Box = rect(20, 50, 150, 150)
	s = New(in, Context{Related: same})
	near(t, "at 8 bins", value(t, s, "nll.max"), -math.Log(0.5/255), 1e-3)
	near(t, "of the others", value(t, s, "nll.second"), -math.Log(127.0/255), 1e-3)
}

func TestPixels(t *testing.T) {
	img := &pixels.Image{W: 200, H: 200, Pix: make([]uint8, 3*200*200)}
	for y := 60; y < 140; y++ {
		for x := 60; x < 140; x++ {
			img.Pix[3*(200*y+x)] = 255
		}
	}
	in := sample(rect(60, 60, 140, 140), rect(60, 60, 140, 140))
	s := New(in, Context{Related: same, Image: img})
	near(t, "here", value(t, s, "pixels.here"), 1, 1e-3)
	near(t, "offset", value(t, s, "pixels.offset"), 0, 0.03)
	in.Objects[0].Box = rect(50, 50, 150, 150)
	s = New(in, Context{Related: same, Image: img})
	near(t, "offset of a loose box", value(t, s, "pixels.offset"), -0.1, 0.03)
	near(t, "here of a loose box", value(t, s, "pixels.here"), 0, 1e-3)
	if s = New(in, Context{Related: same}); !math.IsNaN(value(t, s, "pixels.here")) {
		t.Error("there are no pixels")
	}
}

func TestHabits(t *testing.T) {
	var all []*schemas.Sample
	for i := range 50 {
		d := float32(i % 5)
		all = append(all, sample(rect(50-d, 50-d, 100, 100), rect(0, 0, 1, 1)))
	}
	h := HabitsOf(func(yield func(*schemas.Sample) bool) {
		for _, s := range all {
			if !yield(s) {
				return
			}
		}
	})
	usual, huge := sample(rect(48, 48, 100, 100), rect(48, 48, 100, 100)), sample(rect(0, 0, 200, 200), rect(0, 0, 200, 200))
	near(t, "usual", value(t, New(usual, Context{Related: same, Habits: h}), "habit.size"), 0, 0.2)
	if z := value(t, New(huge, Context{Related: same, Habits: h}), "habit.size"); z < 4 {
		t.Errorf("a box of sixteen times the area is %.1f deviations away", z)
	}
}

func TestProposals(t *testing.T) {
	truth := rect(50, 50, 150, 150)
	in := sample(rect(0, 0, 20, 20), truth)
	s := New(in, Context{Related: same})
	all := s.Proposals(0.05)
	if len(all) != 1 || all[0].Class != "cat" || all[0].Score != 0.9 {
		t.Fatalf("%+v", all)
	}
	second := schemas.Candidates{Model: "n@1", Classes: []string{"cat"}, Cells: []schemas.Candidate{
		{Box: rect(54, 54, 154, 154), Score: 0.3, Scores: []schemas.ClassScore{{Score: 0.3}}},
	}}
	in.Candidates = append(in.Candidates, second)
	all = New(in, Context{Related: same}).Proposals(0.05)
	if len(all) != 1 || all[0].Box.IoU(truth) < 0.9 {
		t.Fatalf("%+v", all)
	}
	if len(s.Absent(all[0])) != len(AbsentNames()) {
		t.Error("numbers and names differ")
	}
}

// TestLooks: what tiles show is proposed beside what the whole does, and said to be theirs; closer looks at labels tell of these, and
// those at things without a label of these.
func TestLooks(t *testing.T) {
	label, near, far := rect(50, 50, 150, 150), rect(45, 50, 150, 150), rect(5, 5, 25, 25)
	saw := func(look schemas.Look, score float32, boxes ...geometry.Box) schemas.Candidates {
		c := schemas.Candidates{Model: "m@1", Look: look, Classes: []string{"cat"}}
		for _, b := range boxes {
			c.Cells = append(c.Cells, schemas.Candidate{Box: b, Score: score, Scores: []schemas.ClassScore{{Score: score}}})
		}
		return c
	}
	scores := func(s *Scene, p Proposal) (out []float64) {
		for i, name := range AbsentNames() {
			if strings.HasPrefix(name, "score.") {
				out = append(out, float64(s.Absent(p)[i]))
			}
		}
		return out
	}
	in := sample(label, label)
	in.Candidates = []schemas.Candidates{saw(schemas.LookWhole, 0.3, label), saw(schemas.LookCloser, 0.9, near, far)}
	s := New(in, Context{Related: same})
	if all := s.Proposals(0.05); len(all) != 1 || all[0].Box != label || len(s.Things(0.05)) != 1 {
		t.Errorf("a closer look shows something without a label: %+v, %+v", all, s.Things(0.05))
	} else if x := scores(s, all[0]); !(x[0] < 0) || !math.IsNaN(x[1]) || !math.IsNaN(x[2]) {
		t.Errorf("scores of the whole, of no tiles and of no look at things without a label: %v", x)
	}
	if fit, ok := s.Fit(0); !ok || fit.Sure < 0.89 || fit.Box.X1 > 47 {
		t.Errorf("a closer look does not tell where the label belongs: %+v", fit)
	}
	unlabeled := saw(schemas.LookUnlabeled, 0.9, far, near)
	unlabeled.At = []geometry.Box{far, rect(160, 160, 180, 180)}
	beside := saw(schemas.LookWhole, 0.3, label, far, rect(160, 160, 180, 180), rect(5, 160, 25, 180))
	in.Candidates = []schemas.Candidates{beside, unlabeled}
	s = New(in, Context{Related: same})
	for _, p := range s.Proposals(0.05) {
		x := scores(s, p)[2]
		switch p.Box {
		case far:
			if !(x > 2 && x < 2.3) {
				t.Errorf("a closer look at %v says %v", p.Box, x)
			}
		case label, rect(5, 160, 25, 180): // nobody looked closer there
			if !math.IsNaN(x) {
				t.Errorf("a closer look at %v says %v", p.Box, x)
			}
		default:
			if !(x < -6) {
				t.Errorf("a closer look at %v, which shows nothing, says %v", p.Box, x)
			}
		}
	}
	if fit, ok := s.Fit(0); !ok || fit.Sure > 0.31 {
		t.Errorf("a look at things without a label tells where the label belongs: %+v", fit)
	}
	blind := schemas.Candidates{Model: "m@1", Look: schemas.LookCloser, Classes: []string{"cat"}}
	unnamed := sample(label, label)
	unnamed.Candidates = []schemas.Candidates{{Model: "m@1", Classes: []string{"cat"}, Cells: []schemas.Candidate{{Box: label, Score: 0.3}}}}
	once := New(unnamed, Context{Related: same})
	unnamed.Candidates = append(unnamed.Candidates, blind)
	if twice := New(unnamed, Context{Related: same}); value(t, once, "support.known") != 1 || value(t, twice, "support.known") != 1 {
		t.Error("a second look makes a model not know a class")
	}
	in.Candidates = []schemas.Candidates{saw(schemas.LookWhole, 0.5, rect(0, 0, 100, 100)), saw(schemas.LookTiles, 0.9, rect(-6, 0, 94, 100))}
	in.Candidates[0].Cells = append(in.Candidates[0].Cells, saw(schemas.LookWhole, 0.6, rect(30, 0, 130, 100)).Cells...)
	s = New(in, Context{Related: same})
	if x := scores(s, s.Proposals(0.05)[0]); !(x[0] > -0.1 && x[0] < 0.1) {
		t.Errorf("what the whole saw is hidden by a neighbor: %v", x)
	}
	in.Candidates = []schemas.Candidates{saw(schemas.LookWhole, 0.3, label), saw(schemas.LookTiles, 0.6, far, near)}
	s = New(in, Context{Related: same})
	all := s.Proposals(0.05)
	if len(all) != 2 || all[0].Box != far || all[1].Box != near {
		t.Fatalf("%+v", all)
	}
	if x, y := scores(s, all[0]), scores(s, all[1]); !(x[0] < -6 && x[1] > 0 && y[0] < 0 && y[0] > -6 && y[1] > 0) {
		t.Errorf("scores of the whole and of tiles: %v, %v", x, y)
	}
}

// TestAlone has three models that see a thing at three places, of which one looks closer and one knows another class: alone each is the scene of a
// sample that only it has looked at.
func TestAlone(t *testing.T) {
	label := rect(50, 50, 150, 150)
	in := sample(label, rect(50, 50, 150, 150))
	in.Objects = append(in.Objects, schemas.Object{ID: "b", Class: "cat", Box: rect(10, 10, 40, 40)})
	saw := func(model string, look schemas.Look, truth geometry.Box, classes ...string) schemas.Candidates {
		c := sample(label, truth).Candidates[0]
		c.Model, c.Look, c.Classes = model, look, classes
		return c
	}
	in.Candidates = []schemas.Candidates{
		saw("m@1", schemas.LookWhole, rect(40, 50, 150, 150), "cat", "dog"),
		saw("m@1", schemas.LookCloser, rect(45, 50, 150, 150), "cat", "dog"),
		saw("n@1", schemas.LookWhole, rect(50, 50, 180, 150), "dog", "cat"),
		saw("o@1", schemas.LookTiles, rect(50, 50, 150, 190), "horse", "cow"),
	}
	with := Context{Related: same, Image: &pixels.Image{W: 200, H: 200, Pix: make([]uint8, 3*200*200)}}
	alone := New(in, with).Alone()
	if len(alone) != 3 {
		t.Fatalf("%d models", len(alone))
	}
	bits := func(rows ...[]float32) (out []uint32) {
		for _, row := range rows {
			for _, x := range row {
				out = append(out, math.Float32bits(x))
			}
		}
		return out
	}
	for k, of := range [][]schemas.Candidates{in.Candidates[:2], in.Candidates[2:3], in.Candidates[3:]} {
		only := *in
		only.Candidates = of
		want := New(&only, with)
		for i := range in.Objects {
			if !slices.Equal(bits(alone[k].Box(i)), bits(want.Box(i))) {
				t.Errorf("model %d, label %d: %v, want %v", k, i, alone[k].Box(i), want.Box(i))
			}
			x, y := alone[k].Edges(i), want.Edges(i)
			if !slices.Equal(bits(x[:]...), bits(y[:]...)) {
				t.Errorf("model %d, edges of label %d: %v, want %v", k, i, x, y)
			}
			if knows := k < 2; alone[k].Knows(i) != knows {
				t.Errorf("model %d knows label %d: %v", k, i, !knows)
			}
		}
	}
}

func TestLeastIoU(t *testing.T) {
	least := float32(1)
	for _, by := range weightings {
		least = min(least, by.least)
	}
	if least != leastIoU {
		t.Errorf("cells of an IoU of %g count, and those of less than %g are not looked at", least, leastIoU)
	}
}

// TestAgreed: of three models the middle one's edges count, each by itself, of two the places between.
func TestAgreed(t *testing.T) {
	fit := func(truth geometry.Box) Fit {
		f, ok := New(sample(rect(50, 50, 150, 150), truth), Context{Related: same}).Fit(0)
		if !ok {
			t.Fatalf("nothing explains the label by %v", truth)
		}
		return f
	}
	a, b, c := fit(rect(40, 60, 150, 150)), fit(rect(48, 52, 156, 151)), fit(rect(52, 42, 190, 148))
	if got, want := Agreed([]Fit{c, a, b}), rect(b.Box.X1, b.Box.Y1, b.Box.X2, a.Box.Y2); got.Box != want {
		t.Errorf("%v, want %v of %v, %v, %v", got.Box, want, a.Box, b.Box, c.Box)
	}
	if got, want := Agreed([]Fit{a, b}).Box, rect((a.Box.X1+b.Box.X1)/2, (a.Box.Y1+b.Box.Y1)/2, (a.Box.X2+b.Box.X2)/2, (a.Box.Y2+b.Box.Y2)/2); got.IoU(want) < 0.9999 {
		t.Errorf("%v, want %v", got, want)
	}
	weak := c
	weak.Sure = a.Sure / 11
	if got := Agreed([]Fit{weak, a}).Box; got != a.Box {
		t.Errorf("beside one that is hardly sure: %v, want %v", got, a.Box)
	}
	nothing := Fit{Sure: math.NaN()}
	Agreed([]Fit{nothing, nothing}) // scores that are no numbers are no reason to panic
	if got := Agreed([]Fit{a}).Box; got != a.Box {
		t.Errorf("%v, want %v", got, a.Box)
	}
}

// FuzzScene gives any boxes: there is no panic, and as many numbers as names.
func FuzzScene(f *testing.F) {
	f.Add(float32(10), float32(10), float32(50), float32(50), float32(20), float32(0.5), byte(3))
	f.Add(float32(math.NaN()), float32(math.Inf(1)), float32(-1), float32(1e38), float32(0), float32(2), byte(0))
	img := &pixels.Image{W: 200, H: 200, Pix: make([]uint8, 3*200*200)}
	f.Fuzz(func(t *testing.T, x1, y1, x2, y2, d, score float32, bins byte) {
		in := sample(rect(x1, y1, x2, y2), rect(x1+d, y1, x2+d, y2))
		in.Objects = append(in.Objects, schemas.Object{ID: "b", Class: "dog", Box: rect(x1, y1, x2+d, y2)})
		for i := range in.Candidates[0].Cells {
			c := &in.Candidates[0].Cells[i]
			c.Score = score
			c.Sides = &schemas.Sides{X: x1, Y: y2, StepX: d, StepY: score, P: make([]byte, 4*(1+int(bins%20)))}
		}
		other := sample(rect(x1, y1, x2, y2), rect(y1, x1, y2, x2)).Candidates[0]
		other.Model, other.Classes = "n@1", []string{"horse", "dog"}
		unlabeled := other
		unlabeled.Look, unlabeled.At = schemas.LookUnlabeled, []geometry.Box{rect(x1, y2, x2, y1), rect(y1, x1, y2, x2)}
		in.Candidates = append(in.Candidates, other, unlabeled)
		s := New(in, Context{Related: same, Image: img})
		for i := range in.Objects {
			for _, by := range append(s.Alone(), s) {
				if len(by.Box(i)) != len(BoxNames()) {
					t.Fatal("numbers and names differ")
				}
				for _, x := range by.Edges(i) {
					if len(x) != len(EdgeNames()) {
						t.Fatal("numbers and names of edges differ")
					}
				}
			}
			if fit, ok := s.Fit(i); ok && Moved(in.Objects[i].Box, fit.Box, 3).Y1 != in.Objects[i].Box.Y1 && y1 == y1 {
				t.Fatal("another edge moved")
			}
		}
		for _, p := range s.Proposals(0.02) {
			s.Absent(p)
		}
	})
}
