package learned

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/prelabel/fuse"
)

// street is a taxonomy: cars and vans are vehicles, and dogs are never labeled.
type street struct{}

func (street) Path(_, class string) []string {
	if class == "car" || class == "van" {
		return []string{class, "vehicle"}
	}
	return []string{class}
}

func (street) Annotated(_, class string) (yes, known bool) { return class != "dog", class != "tree" }

// world makes corrections of images with cars and vans, labeled a tenth wider than models draw them. Model a knows both, b is
// right where a is wrong: what both find is there, and what one finds alone mostly is not.
type world struct {
	rng *rand.Rand
	n   int
}

func newWorld(seed uint64) *world { return &world{rng: rand.New(rand.NewPCG(seed, 1))} }

var models = []string{"a@1", "b@1"}

// image are the corrections of one, n things in it.
func (w *world) image(things int) []schemas.Correction {
	w.n++
	base := schemas.Correction{
		SampleID: schemas.NewSampleID("d", fmt.Sprint(w.n), schemas.Hash{}), Dataset: "d", Revision: 1, Models: models, W: 4000, H: 480, Actor: "ana",
		At: time.Unix(int64(w.n), 0),
	}
	var out []schemas.Correction
	for n := range things {
		class := []string{"car", "van"}[w.rng.IntN(2)]
		at := geometry.Box{X1: float32(200*n) + 20, Y1: 100, X2: float32(200*n) + 120, Y2: 200}
		real, byA, byB := w.rng.Float64() < 0.5, true, true
		if !real {
			byA = w.rng.Float64() < 0.5
			byB = !byA
		}
		for m, by := range []bool{byA, byB} {
			if !by {
				continue
			}
			c := base
			jitter := float32(w.rng.NormFloat64())
			c.ProposalID, c.Source, c.Class = fmt.Sprint("p", n, m), models[m], class
			c.Proposal = geometry.Box{X1: at.X1 + jitter, Y1: at.Y1 - jitter, X2: at.X2 + jitter, Y2: at.Y2 - jitter}
			c.Score = float32(0.3 + 0.5*w.rng.Float64())
			if real {
				c.Accepted, c.ObjectID, c.Labeled, c.Label = true, fmt.Sprint("o", n), class, at
				c.Label.X2 += 10
			}
			out = append(out, c)
		}
	}
	return out
}

func (w *world) images(n int) (out [][]schemas.Correction) {
	for range n {
		out = append(out, w.image(6))
	}
	return out
}

func learn(images ...[]schemas.Correction) *Book {
	b := New(street{})
	b.Update(slices.Concat(images...))
	b.Fit()
	return b
}

var (
	serving = []fuse.Model{{ID: "b@1", Classes: []string{"car", "van", "bus"}}, {ID: "a@1", Classes: []string{"car", "van"}}}
	place   = geometry.Box{X1: 100, Y1: 100, X2: 200, Y2: 200}
)

func object(model, class string, score float32, box geometry.Box) schemas.Object {
	return schemas.Object{Class: class, Source: model, Score: score, Box: box}
}

// detections of an image by serving: both see a car, b alone sees a van and a bus.
func detections() [][]schemas.Object {
	far := geometry.Box{X1: 400, Y1: 100, X2: 500, Y2: 200}
	return [][]schemas.Object{
		{object("b@1", "car", 0.5, place), object("b@1", "van", 0.5, far), object("b@1", "bus", 0.4, far)},
		{object("a@1", "car", 0.5, place)},
	}
}

// TestTakenBack: a submission that left nothing to judge takes back what an earlier one of its sample said.
func TestTakenBack(t *testing.T) {
	all := newWorld(1).images(30)
	b := learn(all...)
	for _, image := range all {
		b.Update([]schemas.Correction{{SampleID: image[0].SampleID, Dataset: "d", Revision: 2, Models: models, At: image[0].At}})
	}
	b.Fit()
	k := b.Known("d")
	if len(k.Conventions) != 0 || k.Samples != 30 || k.Calibration.All != nil || len(k.Fusion) != 1 || len(k.Fusion[0].Trials) != 0 {
		t.Errorf("all was taken back, and this is known: %+v", k)
	}
}

// TestNothingLearned: without corrections everything stays as the models have it.
func TestNothingLearned(t *testing.T) {
	b := New(nil)
	b.Fit()
	if got := b.Move("d", "car", "a@1", place, 640, 480); got != place {
		t.Errorf("a box is moved to %+v", got)
	}
	if got := b.Probability("d", "car", "a@1", 0.1); got != 0.1 {
		t.Errorf("a score becomes %g", got)
	}
	found := detections()
	if diff := cmp.Diff(found[0], b.Fuse("d", serving[:1], found[:1])); diff != "" {
		t.Errorf("a single model's detections -before +after\n%s", diff)
	}
	if diff := cmp.Diff(fuse.New(serving).Fuse(found), b.Fuse("d", serving, found)); diff != "" {
		t.Errorf("-first model that knows a class +fused\n%s", diff)
	}
	if got := b.Fuse("d", nil, nil); len(got) != 0 {
		t.Errorf("no model found %+v", got)
	}
	if diff := cmp.Diff(Known{}, b.Known("d")); diff != "" {
		t.Errorf("something is known:\n%s", diff)
	}
}

// TestLearned: what corrections say is done, to the dataset and the models that they are of, in whichever order these are given.
func TestLearned(t *testing.T) {
	b := learn(newWorld(1).images(120)...)
	known := b.Known("d")
	if len(known.Fusion) != 1 || known.Fusion[0].Images != 120 || known.Fusion[0].Method != fuse.Stacked || known.Samples != 120 || known.Calibration.All.N == 0 {
		t.Fatalf("%+v", known)
	}
	got := b.Fuse("d", serving, detections())
	if len(got) != 3 || got[0].Class != "car" || got[0].Source != "a@1+b@1" || got[0].Score < 0.6 || got[2].Class != "van" || got[2].Score > 0.2 {
		t.Errorf("fused %+v, want a sure car, a doubtful van, and the bus that only one model knows", got)
	}
	turned := detections()
	slices.Reverse(turned)
	models := slices.Clone(serving)
	slices.Reverse(models)
	if diff := cmp.Diff(got, b.Fuse("d", models, turned)); diff != "" {
		t.Errorf("-one order of models +another\n%s", diff)
	}
	for i, others := range [][]fuse.Model{{serving[0], {ID: "c@1", Classes: serving[1].Classes}}, append(serving[:2:2], fuse.Model{ID: "c@1"})} {
		found := append(detections(), nil)[:len(others)]
		if diff := cmp.Diff(fuse.New(others).Fuse(found), b.Fuse("d", others, found)); diff != "" {
			t.Errorf("%d: other models -unlearned +fused\n%s", i, diff)
		}
	}
	if sure, doubted := b.Probability("d", "car", "a@1", 0.3), b.Probability("d", "car", "b@1", 0.3); sure < 0.5 || doubted < 0.5 {
		t.Errorf("scores that say nothing of two thirds that are accepted become %g and %g", sure, doubted)
	}
	if got := b.Probability("d", "car", "a@1+b@1", 0.3); got != 0.3 {
		t.Errorf("a fused score becomes %g", got)
	}
	if got := b.Move("d", "car", "a@1", place, 640, 480); got.X2 < 207 || got.X2 > 213 || got.X1 != 100 {
		t.Errorf("the box is moved to %+v, want its right edge near 210", got)
	}
	if got := b.Probability("elsewhere", "car", "a@1", 0.3); got != 0.3 {
		t.Errorf("in another dataset a score becomes %g", got)
	}
}

// TestFusionFollowsConventions: fusion is learned from the boxes that it will be given, which lie where people draw them, not from the
// models' own, of which hardly one would be right here.
func TestFusionFollowsConventions(t *testing.T) {
	images := newWorld(1).images(60)
	for _, rows := range images {
		for i := range rows {
			if rows[i].Accepted {
				rows[i].Label.X2 += 110
			}
		}
	}
	b := learn(images...)
	if f := b.Known("d").Fusion[0]; f.Trials[0].AP < 0.5 {
		t.Errorf("the best model alone has an average precision of %.2f: its boxes were not moved", f.Trials[0].AP)
	}
	if got := b.Fuse("d", serving, detections()); got[0].Class != "car" || got[0].Score < 0.6 {
		t.Errorf("fused %+v, want a sure car", got)
	}
}

// TestOrder: the same is known however corrections are cut and ordered, of a sample the last that was said.
func TestOrder(t *testing.T) {
	images := newWorld(2).images(60)
	text := func(b *Book) string {
		b.Fit()
		data, err := json.Marshal(b.Known("d"))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	want := text(learn(images...))
	for seed := range uint64(3) {
		rng := rand.New(rand.NewPCG(seed, 2))
		rng.Shuffle(len(images), func(i, j int) { images[i], images[j] = images[j], images[i] })
		b := New(street{})
		for i, rows := range images {
			rng.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
			b.Update(rows[:1])
			b.Update(slices.Concat(images[:i+1]...))
		}
		if diff := cmp.Diff(want, text(b)); diff != "" {
			t.Fatalf("seed %d: -in order +shuffled\n%s", seed, diff)
		}
	}
}

// TestUnknownIsNotWrong: detections of what is never labeled, as the taxonomy says or the labels show, teach fusion and calibration
// nothing.
func TestUnknownIsNotWrong(t *testing.T) {
	plain, with := newWorld(3).images(40), newWorld(3).images(40)
	for i, class := range []string{"dog", "tree"} {
		for n, rows := range with {
			c := rows[0]
			c.ProposalID, c.ObjectID, c.Source, c.Class, c.Accepted, c.Score = fmt.Sprint("q", i), "", "b@1", class, false, 0.9
			with[n] = append(with[n], c)
		}
	}
	without, got := learn(plain...).Known("d"), learn(with...).Known("d")
	if diff := cmp.Diff(without, got); diff != "" {
		t.Errorf("-without +with\n%s", diff)
	}
	tree := with[0][len(with[0])-1]
	tree.ProposalID, tree.ObjectID, tree.Source, tree.Labeled, tree.Label = "", "o-tree", "", "tree", place
	with[0] = append(with[0], tree)
	got = learn(with...).Known("d")
	if n := got.Calibration.All.N - without.Calibration.All.N; n != 40 {
		t.Errorf("with a tree among the labels, calibration learns from %d more proposals, want those 40 of trees", n)
	}
	for _, m := range got.Fusion[0].Models {
		if slices.Contains(m.Classes, "tree") != (m.ID == "b@1") {
			t.Errorf("with a tree among the labels, %s knows %v", m.ID, m.Classes)
		}
	}
}

// TestWhoLooked: fusion is learned from images at which all of the models looked, also where one found nothing.
func TestWhoLooked(t *testing.T) {
	images := newWorld(4).images(30)
	for n, rows := range images {
		rows = slices.DeleteFunc(rows, func(c schemas.Correction) bool { return n < 20 && c.Source == "b@1" })
		for i := range rows {
			switch {
			case n < 10:
				rows[i].Models = models[:1]
			case n == 25:
				rows[i].Models = slices.Concat(models, []string{"c@1"})
			}
		}
		images[n] = rows
	}
	got := map[int]int{}
	for _, f := range learn(images...).Known("d").Fusion {
		got[len(f.Models)] = f.Images
	}
	if diff := cmp.Diff(map[int]int{2: 20, 3: 1}, got); diff != "" {
		t.Errorf("images by the number of models: -want +got\n%s", diff)
	}
}

// TestTruth: labels stand under the classes that models have for them.
func TestTruth(t *testing.T) {
	s := sample{
		labels: []label{{"car", place}, {"van", place}, {"vehicle", place}, {"dog", place}},
		found:  []detection{{"p1", "a@1", "van", 0.5, place, 1}, {"p2", "b@1", "vehicle", 0.5, place, 1}, {"p3", "a@1", "van", 0.5, place, 2}},
	}
	var got []string
	for _, o := range truth(s, map[string]string{"van": "van", "vehicle": "vehicle"}, lookup{street{}, "d"}) {
		got = append(got, o.Class)
	}
	if diff := cmp.Diff([]string{"vehicle", "van", "vehicle", "van", "vehicle"}, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// TestBounds: the newest samples are held, and what is known changes when a tenth of them is new.
func TestBounds(t *testing.T) {
	w := newWorld(5)
	b := New(street{})
	first := w.image(1)
	b.Update(first)
	for range 10 {
		var rows []schemas.Correction
		for range MaxSamples / 10 {
			rows = append(rows, w.image(1)...)
		}
		b.Update(rows)
	}
	if held := b.windows["d"].samples; len(held) != MaxSamples || held[first[0].SampleID].found != nil {
		t.Fatalf("%d samples are held, or the oldest is", len(held))
	}
	old := w.image(1)
	for i := range old {
		old[i].Class, old[i].Accepted, old[i].At = "relic", true, time.Unix(0, 0)
	}
	b.Update(old)
	accepted := 0
	for _, s := range b.windows["d"].samples {
		for _, d := range s.found {
			if d.label >= 0 {
				accepted++
			}
		}
	}
	for _, e := range b.Known("d").Conventions {
		if e.Class == "relic" {
			t.Error("conventions are learned from a sample older than those that are held")
		}
		if e.Class == "vehicle" && e.N != accepted {
			t.Errorf("conventions are learned from %d accepted proposals, want the %d of the samples that are held", e.N, accepted)
		}
	}
	b.windows["d"].samples = map[schemas.SampleID]sample{}
	fit := func(images int) int {
		for range images {
			b.Update(w.image(1))
		}
		b.Fit()
		return b.Known("d").Samples
	}
	for _, c := range []struct{ images, want int }{{30, 30}, {2, 30}, {1, 30}, {1, 34}, {0, 34}} {
		if got := fit(c.images); got != c.want {
			t.Errorf("with %d new, it is learned from %d, want %d", c.images, got, c.want)
		}
	}
}

// fickle is street until it learns that there are no vans.
type fickle struct {
	street
	vanless bool
}

func (f *fickle) Annotated(dataset, class string) (yes, known bool) {
	yes, known = f.street.Annotated(dataset, class)
	return yes && (!f.vanless || class != "van"), known
}

// TestReview: what is gone is forgotten as if it had never been there, a taxonomy that says something else has all learned anew, and
// else nothing is.
func TestReview(t *testing.T) {
	all := newWorld(7).images(40)
	classes := &fickle{}
	b := New(classes)
	b.Update(slices.Concat(all...))
	b.Fit()
	fitted := (*b.known.Load())["d"].calibration
	b.Review(func(schemas.SampleID) bool { return false })
	b.Fit()
	if (*b.known.Load())["d"].calibration != fitted {
		t.Error("calibration is learned again, though nothing has changed")
	}
	last := all[39][0].SampleID
	b.Review(func(id schemas.SampleID) bool { return id == last })
	b.Fit()
	if diff := cmp.Diff(learn(all[:39]...).Known("d"), b.Known("d")); diff != "" {
		t.Errorf("-never seen +gone\n%s", diff)
	}
	classes.vanless = true
	b.Review(func(schemas.SampleID) bool { return false })
	b.Fit()
	anew := New(classes)
	anew.Update(slices.Concat(all[:39]...))
	anew.Fit()
	if diff := cmp.Diff(anew.Known("d"), b.Known("d")); diff != "" || len(b.Known("d").Calibration.All.Below["a@1"].Below["vehicle"].Below) != 1 {
		t.Errorf("-learned without vans +reviewed\n%s", diff)
	}
}

// TestWindowsFill: conventions are of as many corrections after the newest samples of a full window went as if these had never been.
func TestWindowsFill(t *testing.T) {
	w := newWorld(8)
	var all [][]schemas.Correction
	for len(all) < 700 {
		rows := w.image(1)
		if c := &rows[0]; c.Accepted {
			c.Source, c.Class = "a@1", "car"
			all = append(all, rows[:1])
		}
	}
	gone := map[schemas.SampleID]bool{}
	for _, rows := range all[500:] {
		gone[rows[0].SampleID] = true
	}
	b := learn(all...)
	b.Review(func(id schemas.SampleID) bool { return gone[id] })
	if n := b.Known("d").Conventions[0].N; n != 300 {
		t.Errorf("conventions are of %d corrections at once, want 300", n)
	}
	b.Fit()
	if diff := cmp.Diff(learn(all[:500]...).Known("d"), b.Known("d")); diff != "" {
		t.Errorf("-never seen +gone\n%s", diff)
	}
}

// TestNamesOfOthers: what the taxonomy says of classes that are new, or were of samples that are gone, has nothing learned anew.
func TestNamesOfOthers(t *testing.T) {
	all := newWorld(9).images(41)
	for _, i := range []int{0, 40} {
		for n := range all[i] {
			all[i][n].Class = []string{"oak", "ash"}[i/40]
		}
	}
	b := New(street{})
	b.Update(slices.Concat(all[:40]...))
	b.Fit()
	b.Review(func(id schemas.SampleID) bool { return id == all[0][0].SampleID })
	b.Fit()
	b.Update(all[40])
	fitted := (*b.known.Load())["d"].calibration
	if b.Review(func(schemas.SampleID) bool { return false }) {
		t.Error("samples are gone that are there")
	}
	b.Fit()
	if (*b.known.Load())["d"].calibration != fitted {
		t.Error("a new class has calibration learned anew")
	}
	if _, held := b.windows["d"].names["oak"]; held {
		t.Error("a class of samples that are gone is held")
	}
}

// TestReadersDoNotMind: what is learned may be used while it changes.
func TestReadersDoNotMind(t *testing.T) {
	w := newWorld(6)
	b := learn(w.images(25)...)
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if got := b.Fuse("d", serving, detections()); len(got) != 3 || b.Known("d").Samples < 25 {
					t.Errorf("fused %+v", got)
					return
				}
				b.Probability("d", "car", "a@1", 0.3)
				b.Move("d", "car", "a@1", place, 640, 480)
			}
		})
	}
	for range 3 {
		for _, rows := range w.images(5) {
			b.Update(rows)
		}
		b.Fit()
		b.Review(func(schemas.SampleID) bool { return false })
	}
	close(done)
	readers.Wait()
}
