package evaluate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

func object(class string, x, score float32) schemas.Object {
	return schemas.Object{Class: class, Score: score, Box: geometry.Box{X1: x, Y1: 0, X2: x + 10, Y2: 10}}
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-12 }

func TestMatch(t *testing.T) {
	truth := []schemas.Object{object("cat", 0, 0), object("cat", 20, 0), object("dog", 40, 0)}
	found := []schemas.Object{object("cat", 3, .5), object("cat", 1, .9), object("cat", 40, .8), object("dog", 41, .1), object("cat", 26, .9)}
	if got := Match(truth, found, .5); !slices.Equal(got, []bool{false, true, false, true, false}) {
		t.Errorf("%v", got)
	}
}

// TestPrecision reads the precision by hand: of 4 cats, hits at ranks 1, 3 and 4 make precisions 1, 2/3 and 3/4 at recalls up
// to .25, .5 and .75.
func TestPrecision(t *testing.T) {
	images := []Image{
		{Truth: []schemas.Object{object("cat", 0, 0), object("cat", 20, 0), object("dog", 40, 0)}, Found: []schemas.Object{object("cat", 0, .9), object("cat", 60, .8), object("cat", 20, .6), object("owl", 0, 1)}},
		{Truth: []schemas.Object{object("cat", 0, 0), object("cat", 20, 0)}, Found: []schemas.Object{object("cat", 1, .7)}},
		{},
	}
	p := NewPrecision(images, .5)
	want := (26*1 + 50*0.75) / 101
	if got := p.Class("cat", nil); !near(got, want) {
		t.Errorf("cat: %g, want %g", got, want)
	}
	if got := p.Mean(nil); !near(got, want/2) {
		t.Errorf("mean: %g, want %g", got, want/2)
	}
	if got := p.Mean([]int{0, 1, 5}); !near(got, 51.0/101) {
		t.Errorf("second image: %g", got)
	}
	if got := p.Mean([]int{1, 1, 0}); !near(got, p.Mean(nil)) {
		t.Errorf("an image without anything changed it: %g", got)
	}
	for _, v := range []float64{p.Mean([]int{0, 0, 1}), p.Class("owl", nil)} {
		if !math.IsNaN(v) {
			t.Errorf("%g without labels", v)
		}
	}
}

func TestPerfectDetectionsHavePrecisionOne(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 0))
	images := make([]Image, 20)
	for i := range images {
		for j := range r.IntN(5) {
			o := object([]string{"cat", "dog"}[r.IntN(2)], float32(30*j), r.Float32())
			images[i].Truth, images[i].Found = append(images[i].Truth, o), append(images[i].Found, o)
		}
	}
	p := NewPrecision(images, .5)
	none := slices.Clone(images)
	for i := range none {
		none[i].Found = nil
	}
	got := Difference(p, NewPrecision(none, .5), 200, 1)
	if !near(got.Value, 1) || !near(got.Low, 1) || !near(got.High, 1) {
		t.Errorf("%+v", got)
	}
}

// TestBootstrapCovers draws means of a known distribution: about 95 of 100 intervals hold it.
func TestBootstrapCovers(t *testing.T) {
	covered := 0
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		values := make([]float64, 60)
		for i := range values {
			values[i] = r.NormFloat64()
		}
		got := Bootstrap(len(values), 400, seed, func(counts []int) float64 {
			sum, n := 0.0, 0.0
			for i, v := range values {
				times := 1.0
				if counts != nil {
					times = float64(counts[i])
				}
				sum, n = sum+times*v, n+times
			}
			return sum / n
		})
		if got.Low <= 0 && got.High >= 0 {
			covered++
		}
	}
	if covered < 178 || covered > 199 {
		t.Errorf("%d of 200 intervals hold the mean", covered)
	}
}

func TestProbabilities(t *testing.T) {
	os := SortOutcomes([]Outcome{{.9, true, 0}, {.1, false, 1}, {.9, false, 2}, {.1, false, 3}})
	if got, want := os.NLL(nil), -(math.Log(.9)*3+math.Log(.1))/4; !near(got, want) {
		t.Errorf("NLL %g, want %g", got, want)
	}
	if got := os.Brier(nil); !near(got, (.01*3+.81)/4) {
		t.Errorf("Brier %g", got)
	}
	if got := os.ECE(nil); !near(got, (.1+.4)/2) {
		t.Errorf("ECE %g: equal probabilities belong together", got)
	}
	if got := os.NLL([]int{3, 0, 0, 1}); !near(got, -math.Log(.9)) {
		t.Errorf("NLL of some images %g", got)
	}
	bins := os.Bins([]int{2, 2, 0, 0}, 2)
	if len(bins) != 2 || bins[1].N != 2 || bins[1].Came != 1 || !near(bins[0].Told, .1) {
		t.Errorf("%+v", bins)
	}
}

func TestBinsHaveEqualMass(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 0))
	os := make([]Outcome, 1500)
	for i := range os {
		p := r.Float64()
		os[i] = Outcome{p, r.Float64() < p, i}
	}
	bins := SortOutcomes(os).Bins(nil, 15)
	if len(bins) != 15 {
		t.Fatalf("%d bins", len(bins))
	}
	for _, b := range bins {
		if b.N != 100 || math.Abs(b.Told-b.Came) > 0.2 {
			t.Errorf("%+v", b)
		}
	}
	if got := Outcomes(os).ECE(nil); got > 0.06 {
		t.Errorf("ECE of true probabilities: %g", got)
	}
}

func TestSlices(t *testing.T) {
	parts := Slices([]map[string]string{{"weather": "fog", "time": "night"}, {"weather": "sun", "time": "night"}, nil, {"weather": "fog"}})
	if len(parts) != 3 || parts[1].Name != "weather=fog" || !slices.Equal(parts[1].Images, []int{0, 3}) {
		t.Fatalf("%+v", parts)
	}
	worth := []float64{1, 5, 100, 2}
	figures := Cut(parts, 4, 100, 1, func(counts []int) float64 {
		sum, n := 0.0, 0.0
		for i, c := range counts {
			sum, n = sum+float64(c)*worth[i], n+float64(c)
		}
		return sum / n
	})
	if f := figures[0]; f.Name != "weather=fog" || f.Value != 1.5 || f.Low != 1 || f.High != 2 {
		t.Errorf("%+v", figures)
	}
	if f := figures[2]; f.Name != "weather=sun" || f.Value != 5 || f.Low != 5 {
		t.Errorf("%+v", figures)
	}
}

func TestFolds(t *testing.T) {
	ids := make([]string, 23)
	for i := range ids {
		ids[i] = fmt.Sprint(i)
	}
	sizes := make([]int, 5)
	for _, k := range Folds(ids, 5) {
		sizes[k]++
	}
	if !slices.Equal(sizes, []int{5, 5, 5, 4, 4}) {
		t.Errorf("%v", sizes)
	}
}
