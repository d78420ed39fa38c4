package fuse

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/prelabel/evaluate"
)

var classes = []string{"cat", "dog", "owl"}

func three() []Model {
	return []Model{{ID: "a@1", Classes: classes}, {ID: "b@1", Classes: classes[:2]}, {ID: "c@1", Classes: classes[1:]}}
}

// found is what a model sees of truth: a share of it, a little off, with scores that tell right from wrong as far as skill goes,
// and as many wrong detections.
func found(r *rand.Rand, m Model, truth []schemas.Object, skill float32) []schemas.Object {
	var out []schemas.Object
	add := func(o schemas.Object, score float32) {
		if slices.Contains(m.Classes, o.Class) {
			o.Score, o.Source, o.ID = score, m.ID, fmt.Sprint(m.ID, len(out))
			out = append(out, o)
		}
	}
	for _, o := range truth {
		if r.Float32() < 0.3+0.6*skill {
			d := func() float32 { return 8 * (r.Float32() - 0.5) }
			o.Box = geometry.Box{X1: o.Box.X1 + d(), Y1: o.Box.Y1 + d(), X2: o.Box.X2 + d(), Y2: o.Box.Y2 + d()}
			add(o, 0.05+0.9*(skill*r.Float32()+(1-skill)*r.Float32()*r.Float32()))
		}
		add(thing(r), 0.05+0.9*(1-skill)*r.Float32())
	}
	return out
}

func thing(r *rand.Rand) schemas.Object {
	x, y := 500*r.Float32(), 500*r.Float32()
	return schemas.Object{Class: classes[r.IntN(3)], Box: geometry.Box{X1: x, Y1: y, X2: x + 30 + 70*r.Float32(), Y2: y + 30 + 70*r.Float32()}}
}

func dataset(seed uint64, n int, models []Model, skills ...float32) []Image {
	r := rand.New(rand.NewPCG(seed, 0))
	out := make([]Image, n)
	for i := range out {
		out[i].ID = fmt.Sprint(i)
		for range 1 + r.IntN(5) {
			out[i].Truth = append(out[i].Truth, thing(r))
		}
		for m, model := range models {
			out[i].Found = append(out[i].Found, found(r, model, out[i].Truth, skills[m]))
		}
	}
	return out
}

func mean(images []Image, fused func(Image) []schemas.Object) float64 {
	all := make([]evaluate.Image, len(images))
	for i, img := range images {
		all[i] = evaluate.Image{Truth: img.Truth, Found: fused(img)}
	}
	return evaluate.NewPrecision(all, 0.5).Mean(nil)
}

func TestFusionHelpsWhereModelsAreIndependent(t *testing.T) {
	models := []Model{{ID: "a@1", Classes: classes}, {ID: "b@1", Classes: classes}, {ID: "c@1", Classes: classes}}
	f := Fit(models, dataset(1, 80, models, .6, .55, .5), DefaultConfig())
	if f.Method != Stacked {
		t.Fatalf("%+v", f)
	}
	unseen := dataset(2, 80, models, .6, .55, .5)
	fused := mean(unseen, func(img Image) []schemas.Object { return f.Fuse(img.Found) })
	for m := range models {
		if single := mean(unseen, func(img Image) []schemas.Object { return img.Found[m] }); fused < single+0.05 {
			t.Errorf("fused %.3f, %s alone %.3f", fused, models[m].ID, single)
		}
	}
}

// TestNoiseIsRefused fuses a model with one that guesses whatever it is shown: fused is not worse than without.
func TestNoiseIsRefused(t *testing.T) {
	models := []Model{{ID: "guess@1", Classes: classes}, {ID: "a@1", Classes: classes}}
	for seed := range uint64(4) {
		learned, unseen := dataset(seed, 60, models, 0, .9), dataset(seed+100, 60, models, 0, .9)
		for _, images := range [][]Image{learned, unseen} {
			r := rand.New(rand.NewPCG(seed, 7))
			for i := range images {
				images[i].Found[0] = nil
				for range 10 {
					o := thing(r)
					o.Score, o.Source = r.Float32(), "guess@1"
					images[i].Found[0] = append(images[i].Found[0], o)
				}
			}
		}
		f := Fit(models, learned, DefaultConfig())
		fused := mean(unseen, func(img Image) []schemas.Object { return f.Fuse(img.Found) })
		single := mean(unseen, func(img Image) []schemas.Object { return img.Found[1] })
		if fused < single-0.01 {
			t.Errorf("seed %d: %s has %.3f, the good model %.3f", seed, f.Method, fused, single)
		}
		if best := f.knowing("cat")[0]; best != 1 {
			t.Errorf("seed %d: the best model is %s", seed, f.Models[best].ID)
		}
	}
}

func TestComplementaryClassesAreUnited(t *testing.T) {
	models := []Model{{ID: "a@1", Classes: classes[:1]}, {ID: "b@1", Classes: classes[1:]}}
	images := dataset(1, 60, models, .6, .6)
	for _, f := range []*Fuser{New(models), Fit(models, images, DefaultConfig())} {
		for _, img := range images {
			if got, want := len(f.Fuse(img.Found)), len(img.Found[0])+len(img.Found[1]); got != want {
				t.Fatalf("%d of %d detections", got, want)
			}
		}
	}
}

// TestOneModelIsItself passes one model's detections through fusers that know nothing and much.
func TestOneModelIsItself(t *testing.T) {
	models := []Model{{ID: "a@1", Classes: classes}}
	images := dataset(1, 40, models, .5)
	for _, f := range []*Fuser{New(models), Fit(models, images, DefaultConfig())} {
		for _, img := range images {
			got := f.Fuse(img.Found)
			want := slices.SortedFunc(slices.Values(img.Found[0]), func(a, b schemas.Object) int { return int(1e6 * (b.Score - a.Score)) })
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatal(diff)
			}
		}
	}
}

func learned(t *testing.T, method Method) (*Fuser, []Image) {
	t.Helper()
	images := dataset(3, 60, three(), .6, .5, .5)
	f := Fit(three(), images, DefaultConfig())
	f.Method = method
	return f, images
}

func TestOrderDoesNotMatter(t *testing.T) {
	for _, method := range []Method{Single, Extend, Stacked} {
		f, images := learned(t, method)
		r := rand.New(rand.NewPCG(1, 0))
		for _, img := range images {
			want := f.Fuse(img.Found)
			for m := range img.Found {
				shuffled := slices.Clone(img.Found[m])
				r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
				img.Found[m] = shuffled
			}
			if diff := cmp.Diff(want, f.Fuse(img.Found)); diff != "" {
				t.Fatalf("%s: %s", method, diff)
			}
		}
		shuffled := slices.Clone(images)
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		again := Fit(three(), shuffled, DefaultConfig())
		again.Method = method
		if diff := cmp.Diff(f, again); diff != "" {
			t.Fatal(diff)
		}
	}
}

func TestBoxesLieWithinTheirMembers(t *testing.T) {
	f, images := learned(t, Stacked)
	fused := 0
	for _, img := range images {
		for _, found := range f.byClass(img.Found) {
			for _, c := range f.clusters([]int{0, 1, 2}, found) {
				b, models := c.object().Box, map[int]bool{}
				low, high := c[0].object.Box, c[0].object.Box
				for _, m := range c {
					o := m.object.Box
					low = geometry.Box{X1: min(low.X1, o.X1), Y1: min(low.Y1, o.Y1), X2: min(low.X2, o.X2), Y2: min(low.Y2, o.Y2)}
					high = geometry.Box{X1: max(high.X1, o.X1), Y1: max(high.Y1, o.Y1), X2: max(high.X2, o.X2), Y2: max(high.Y2, o.Y2)}
					models[m.model] = true
				}
				if b.X1 < low.X1 || b.Y1 < low.Y1 || b.X2 < low.X2 || b.Y2 < low.Y2 || b.X1 > high.X1 || b.Y1 > high.Y1 || b.X2 > high.X2 || b.Y2 > high.Y2 {
					t.Errorf("%v of %v", b, c)
				}
				if len(models) != len(c) {
					t.Errorf("a model is in twice: %v", c)
				}
				if len(c) > 1 {
					fused++
				}
			}
		}
		for _, o := range f.Fuse(img.Found) {
			if !(o.Score > 0 && o.Score < 1) {
				t.Errorf("%+v", o)
			}
		}
	}
	if fused < 50 {
		t.Errorf("%d clusters of several", fused)
	}
}

func TestFuserComesBackFromJSON(t *testing.T) {
	f, images := learned(t, Stacked)
	data, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	var again Fuser
	if err := json.Unmarshal(data, &again); err != nil {
		t.Fatal(err)
	}
	for _, img := range images {
		if diff := cmp.Diff(f.Fuse(img.Found), again.Fuse(img.Found)); diff != "" {
			t.Fatal(diff)
		}
	}
}

func TestLittleTeachesNothing(t *testing.T) {
	unlabeled := dataset(1, 40, three(), .5, .5, .5)
	for i := range unlabeled {
		unlabeled[i].Truth = nil
	}
	for name, images := range map[string][]Image{"none": nil, "few": dataset(1, 19, three(), .5, .5, .5), "unlabeled": unlabeled} {
		if diff := cmp.Diff(New(three()), Fit(three(), images, DefaultConfig())); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestUnknownClassesAreDropped(t *testing.T) {
	o := schemas.Object{Class: "yak", Box: geometry.Box{X2: 9, Y2: 9}, Score: .9}
	if got := New(three()).Fuse([][]schemas.Object{{o}, nil, nil}); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}
