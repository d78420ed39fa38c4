package convention

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

// world makes corrections: boxes of a model, and labels that lie by the given shares outside of them, with scatter.
type world struct {
	rng      *rand.Rand
	scatter  float64 // standard deviation of an edge, share of the box's side
	mistakes float64 // share of edges that lie somewhere else
	n        int
}

func newWorld(seed uint64, scatter float64) *world {
	return &world{rng: rand.New(rand.NewPCG(seed, 1)), scatter: scatter, mistakes: 0.1}
}

const width, height = 640, 480

// correction draws a box and its label.
func (w *world) correction(class, model string, offsets [4]float64) schemas.Correction {
	w.n++
	bw, bh := 40+160*w.rng.Float64(), 40+120*w.rng.Float64()
	x, y := 60+(width-120-bw)*w.rng.Float64(), 60+(height-120-bh)*w.rng.Float64()
	outside := func(edge int, size float64) float32 {
		d := offsets[edge] + w.scatter*w.rng.NormFloat64()
		if w.rng.Float64() < w.mistakes {
			d += 0.25 * w.rng.Float64()
		}
		return float32(d * size)
	}
	raw := geometry.Box{X1: float32(x), Y1: float32(y), X2: float32(x + bw), Y2: float32(y + bh)}
	label := geometry.Box{X1: raw.X1 - outside(0, bw), Y1: raw.Y1 - outside(1, bh), X2: raw.X2 + outside(2, bw), Y2: raw.Y2 + outside(3, bh)}
	return schemas.Correction{
		SampleID: schemas.NewSampleID("d", fmt.Sprint(w.n), schemas.Hash{}), Dataset: "d", Revision: 1, ProposalID: "p1", ObjectID: "o1",
		Source: model, Class: class, Labeled: class, Score: 0.5, Accepted: true, Proposal: raw, Label: label.Clip(width, height), W: width, H: height,
		At: time.Unix(int64(w.n), 0),
	}
}

func (w *world) corrections(n int, class, model string, offsets [4]float64) []schemas.Correction {
	out := make([]schemas.Correction, n)
	for i := range out {
		out[i] = w.correction(class, model, offsets)
	}
	return out
}

func learned(path func(_, class string) []string, batches ...[]schemas.Correction) *Book {
	b := New(path)
	for _, c := range batches {
		b.Update(c)
	}
	return b
}

// vehicles is a taxonomy of two levels.
func vehicles(_, class string) []string {
	switch class {
	case "car", "van", "bus", "tram":
		return []string{class, "vehicle"}
	}
	return []string{class}
}

// of returns the estimate of a class by the model m@1.
func of(t *testing.T, b *Book, class string) Estimate {
	t.Helper()
	for _, e := range b.Estimates("d") {
		if e.Class == class && e.Model == "m@1" {
			return e
		}
	}
	t.Fatalf("no estimate of %s among %+v", class, b.Estimates("d"))
	return Estimate{}
}

// TestOffsetsAreFound: edges with a convention are applied in spite of scatter and mistakes, and without mistakes the interval
// holds the truth as often as it says.
func TestOffsetsAreFound(t *testing.T) {
	truth := [4]float64{0.12, 0, 0.12, -0.1}
	for _, c := range []struct{ mistakes, within, held float64 }{{0, 0.03, 0.9}, {0.1, 0.035, 0.6}} {
		held, edges := 0, 0
		for seed := range uint64(40) {
			w := newWorld(seed, 0.05)
			w.mistakes = c.mistakes
			for i, o := range of(t, learned(nil, w.corrections(100, "car", "m@1", truth)), "car").Edges {
				edges++
				if o.Low <= truth[i] && truth[i] <= o.High {
					held++
				}
				if math.Abs(o.Mean-truth[i]) > c.within {
					t.Errorf("%.1f mistakes, seed %d: %s is %.3f, want %.3f", c.mistakes, seed, Edges[i], o.Mean, truth[i])
				}
				if truth[i] != 0 && !o.Applied {
					t.Errorf("%.1f mistakes, seed %d: %s is not applied: %+v", c.mistakes, seed, Edges[i], o)
				}
			}
		}
		if share := float64(held) / float64(edges); share < c.held {
			t.Errorf("%.1f mistakes: %.2f of the intervals hold the truth, want %.2f", c.mistakes, share, c.held)
		} else {
			t.Logf("%.1f mistakes: %.2f of the intervals hold the truth", c.mistakes, share)
		}
	}
}

// TestNothingToLearn: where labels scatter around the boxes, hardly a box is moved, and none far.
func TestNothingToLearn(t *testing.T) {
	moved := 0
	const trials = 100
	for seed := range uint64(trials) {
		w := newWorld(seed, 0.08)
		all := w.corrections(60, "car", "m@1", [4]float64{})
		for i := range all { // box and label change places
			if c := &all[i]; i%2 == 0 {
				c.Proposal, c.Label = c.Label, c.Proposal
			}
		}
		b := learned(nil, all)
		box := geometry.Box{X1: 100, Y1: 100, X2: 200, Y2: 200}
		if got := b.Apply("d", "car", "m@1", box, width, height); got != box {
			moved++
			if iou := got.IoU(box); iou < 0.93 {
				t.Errorf("seed %d: a box is moved to %+v, IoU %.3f", seed, got, iou)
			}
		}
	}
	if moved > trials/10 {
		t.Errorf("boxes are moved in %d of %d worlds without a convention", moved, trials)
	}
}

// TestImagesAreOneWord: what the boxes of an image have in common, as the way in which a person drew that day, is seen once for each
// image: intervals hold the truth nearly as often as they say, also of few images, and hardly a box is moved where the images' ways
// cancel out.
func TestImagesAreOneWord(t *testing.T) {
	const worlds = 60
	for _, c := range []struct {
		images, each int
		offset       float64
	}{{25, 10, 0}, {2, 50, 0.1}, {3, 50, 0.1}, {5, 50, 0.1}, {10, 50, 0.1}} {
		held, moved := 0, 0
		for seed := range uint64(worlds) {
			w := newWorld(seed, 0.03)
			w.mistakes = 0
			var all []schemas.Correction
			for n := range c.images {
				way := [4]float64{}
				for edge := range way {
					way[edge] = c.offset + 0.05*w.rng.NormFloat64()
				}
				for i, r := range w.corrections(c.each, "car", "m@1", way) {
					r.SampleID, r.ProposalID = schemas.NewSampleID("d", fmt.Sprint(seed, n), schemas.Hash{}), fmt.Sprint("p", i)
					all = append(all, r)
				}
			}
			b := learned(nil, all)
			for _, o := range of(t, b, "car").Edges {
				if o.Low <= c.offset && c.offset <= o.High {
					held++
				}
			}
			if box := (geometry.Box{X1: 100, Y1: 100, X2: 200, Y2: 200}); b.Apply("d", "car", "m@1", box, width, height) != box {
				moved++
			}
		}
		if held < worlds*4*9/10 || c.offset == 0 && moved > worlds/10 {
			t.Errorf("%+v: %d of %d intervals hold the truth, and boxes are moved in %d of %d worlds", c, held, worlds*4, moved, worlds)
		}
	}
}

// TestAppliedOffsetsLeaveNothing: of boxes that were moved by the estimate, the estimate is about zero.
func TestAppliedOffsetsLeaveNothing(t *testing.T) {
	all := newWorld(7, 0.04).corrections(200, "car", "m@1", [4]float64{0.2, -0.1, 0.05, 0.1})
	b := learned(nil, all)
	for i := range all {
		c := &all[i]
		c.Proposal = b.Apply("d", "car", "m@1", c.Proposal, width, height)
	}
	for i, o := range of(t, learned(nil, all), "car").Edges {
		if math.Abs(o.Mean) > 0.01 {
			t.Errorf("%s is off by %.3f after it was applied", Edges[i], o.Mean)
		}
	}
}

// TestScale: corrections in images twice as large give the same estimates, and boxes there are moved twice as far.
func TestScale(t *testing.T) {
	small := newWorld(3, 0.05).corrections(80, "car", "m@1", [4]float64{0.1, 0, 0, -0.2})
	large := make([]schemas.Correction, len(small))
	twice := func(b geometry.Box) geometry.Box {
		return geometry.Box{X1: 2 * b.X1, Y1: 2 * b.Y1, X2: 2 * b.X2, Y2: 2 * b.Y2}
	}
	for i, c := range small {
		c.Proposal, c.Label, c.W, c.H = twice(c.Proposal), twice(c.Label), 2*c.W, 2*c.H
		large[i] = c
	}
	a, b := learned(nil, small), learned(nil, large)
	if diff := cmp.Diff(a.Estimates("d"), b.Estimates("d")); diff != "" {
		t.Errorf("-small +large\n%s", diff)
	}
	for _, box := range []geometry.Box{{X1: 100, Y1: 100, X2: 200, Y2: 300}, {X1: 2, Y1: 0, X2: 630, Y2: 480}} {
		moved, large := a.Apply("d", "car", "m@1", box, width, height), b.Apply("d", "car", "m@1", twice(box), 2*width, 2*height)
		if moved == box || twice(moved) != large {
			t.Errorf("%+v becomes %+v, and twice as large %+v", box, moved, large)
		}
	}
}

// TestOrder: estimates are the same to the last bit however corrections are cut into updates and ordered, more than a window holds
// among them, and when some come twice.
func TestOrder(t *testing.T) {
	w := newWorld(5, 0.05)
	all := w.corrections(maxWindow+200, "car", "m@1", [4]float64{0.1})
	all = append(all, w.corrections(50, "van", "m@2", [4]float64{0, 0.1})...)
	want := learned(vehicles, all).Estimates("d")
	if of(t, learned(vehicles, all), "car").N != maxWindow {
		t.Fatal("the window is not full")
	}
	for seed := range uint64(5) {
		rng := rand.New(rand.NewPCG(seed, 2))
		rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		b := New(vehicles)
		for rest := all; len(rest) > 0; {
			n := min(1+rng.IntN(100), len(rest))
			b.Update(rest[:n])
			b.Update(rest[:min(n, 3)])
			rest = rest[n:]
		}
		if diff := cmp.Diff(want, b.Estimates("d")); diff != "" {
			t.Fatalf("seed %d: -in order +shuffled\n%s", seed, diff)
		}
	}
}

// TestReplacement: what a sample said before is forgotten, also when its proposals are rejected now.
func TestReplacement(t *testing.T) {
	w := newWorld(9, 0.05)
	stay, gone := w.corrections(30, "car", "m@1", [4]float64{0.1}), w.corrections(30, "car", "m@1", [4]float64{-0.2})
	b := learned(nil, stay, gone)
	for i := range gone {
		gone[i].Accepted, gone[i].Label, gone[i].Revision = false, geometry.Box{}, 2
	}
	b.Update(gone)
	if diff := cmp.Diff(learned(nil, stay).Estimates("d"), b.Estimates("d")); diff != "" {
		t.Errorf("-without +replaced\n%s", diff)
	}
}

// TestParents: a class with few corrections leans on its siblings; one with many goes its own way; one without any follows when
// the others agree. A model without any stays as it is.
func TestParents(t *testing.T) {
	w := newWorld(11, 0.05)
	rule := [4]float64{0.15, 0, 0.15, 0}
	b := learned(vehicles, w.corrections(150, "car", "m@1", rule), w.corrections(150, "van", "m@1", rule), w.corrections(3, "bus", "m@1", [4]float64{-0.05}))
	alone := learned(nil, newWorld(11, 0.05).corrections(3, "bus", "m@1", [4]float64{-0.05}))
	if with, without := of(t, b, "bus").Edges[0].Mean, of(t, alone, "bus").Edges[0].Mean; with < without+0.03 {
		t.Errorf("with few corrections of its own, bus is %.3f among its siblings and %.3f alone", with, without)
	}
	box := geometry.Box{X1: 100, Y1: 100, X2: 200, Y2: 200}
	for _, c := range [][2]string{{"tram", "m@1"}, {"vehicle", "m@1"}} {
		if got := b.Apply("d", c[0], c[1], box, width, height); got.X1 > 95 || got.X2 < 205 || got.Y1 != 100 || got.Y2 != 200 {
			t.Errorf("%s by %s becomes %+v, want some 15 wider on both sides", c[0], c[1], got)
		}
	}
	for _, c := range [][2]string{{"dog", "m@1"}, {"car", "m@2"}, {"", ""}} {
		if got := b.Apply("d", c[0], c[1], box, width, height); got != box {
			t.Errorf("%q by %q is moved to %+v", c[0], c[1], got)
		}
	}
	own := learned(vehicles, w.corrections(150, "car", "m@1", rule), w.corrections(150, "van", "m@1", [4]float64{-0.1}))
	if got := of(t, own, "van").Edges[0].Mean; math.Abs(got+0.1) > 0.03 {
		t.Errorf("with many corrections of its own, van's left edge is %.3f, want -0.1", got)
	}
}

// TestBorder: labels that the image cuts off say nothing of an edge.
func TestBorder(t *testing.T) {
	all := newWorld(13, 0.03).corrections(100, "car", "m@1", [4]float64{0, 0, 0, 0.2})
	for i := range all[:80] { // these stand on the lower border
		c := &all[i]
		down := height - c.Proposal.Y2
		c.Proposal.Y1, c.Proposal.Y2 = c.Proposal.Y1+down, height
		c.Label.Y1, c.Label.Y2 = c.Label.Y1+down, height
	}
	o := of(t, learned(nil, all), "car").Edges[3]
	if o.N != 20 || math.Abs(o.Mean-0.2) > 0.04 || !o.Applied {
		t.Errorf("bottom: %+v, want 0.2 of 20", o)
	}
}

// TestDegenerate: what cannot be, or says nothing, does no harm.
func TestDegenerate(t *testing.T) {
	round := func(_, class string) []string { return map[string][]string{"a": {"a", "b"}, "b": {"b", "a"}}[class] }
	c := schemas.Correction{SampleID: schemas.SampleID{1}, Dataset: "d", ProposalID: "p", Source: "m@1", Class: "a", Accepted: true}
	nan := c
	nan.SampleID, nan.Label.X1, nan.Proposal.X2 = schemas.SampleID{2}, float32(math.NaN()), float32(math.Inf(1))
	missed := schemas.Correction{SampleID: schemas.SampleID{3}, Dataset: "d", ObjectID: "o", Class: "a"}
	b := learned(round, []schemas.Correction{c, nan, missed})
	box := geometry.Box{X1: 1, Y1: 1, X2: 5, Y2: 5}
	for _, class := range []string{"a", "b", "c"} {
		if got := b.Apply("d", class, "m@1", box, 10, 10); got != box {
			t.Errorf("%s is moved to %+v", class, got)
		}
	}
	if got := move(box, [4]Offset{{Mean: -3, Applied: true}}, 10, 10); got != box {
		t.Errorf("a box is turned inside out: %+v", got)
	}
	if _, err := json.Marshal(b.Estimates("d")); err != nil {
		t.Errorf("the estimates are no JSON: %v", err)
	}
}

// TestConcurrentUse is for the race detector: boxes are moved while corrections come.
func TestConcurrentUse(t *testing.T) {
	w := newWorld(17, 0.05)
	b := New(vehicles)
	done := make(chan struct{})
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					b.Apply("d", "car", "m@1", geometry.Box{X2: 10, Y2: 10}, width, height)
					b.Estimates("d")
				}
			}
		})
	}
	for range 10 {
		b.Update(w.corrections(20, "car", "m@1", [4]float64{0.1}))
		b.Update(w.corrections(20, "van", "m@1", [4]float64{0.1}))
	}
	close(done)
	wait.Wait()
}

func BenchmarkUpdate(b *testing.B) {
	w := newWorld(1, 0.05)
	var all []schemas.Correction
	for i := range 10 {
		all = append(all, w.corrections(maxWindow, fmt.Sprint("class", i), "m@1", [4]float64{0.1})...)
	}
	book := learned(nil, all)
	for b.Loop() {
		book.Update(all[:1])
	}
}
