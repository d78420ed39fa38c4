package calibrate

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gleaner/stages/prelabel/logistic"
)

// draw makes corrections of two models of different honesty, with classes that differ.
func draw(seed uint64, n int) (corrections []Correction, probabilities []float64) {
	r := rand.New(rand.NewPCG(seed, 0))
	for range n {
		c := Correction{Model: "a@1", Score: r.Float32()}
		shift, slope := 0.5, 1.2
		if r.IntN(2) == 0 {
			c.Model, shift, slope = "b@1", -2, 2
		}
		class := r.IntN(9)
		c.Class, c.Super = fmt.Sprint("class ", class), fmt.Sprint("super ", class/3)
		shift += 0.4*float64(class/3-1) + 0.4*float64(class%3-1)
		p := logistic.Sigmoid(shift + slope*logistic.Logit(float64(c.Score)))
		c.Accepted = r.Float64() < p
		corrections, probabilities = append(corrections, c), append(probabilities, p)
	}
	return corrections, probabilities
}

// excess is the mean divergence of a book's probabilities from the true ones, in nats.
func excess(b *Book, corrections []Correction, probabilities []float64) float64 {
	sum := 0.0
	for i, c := range corrections {
		p, q := probabilities[i], float64(b.Probability(c.Class, c.Super, c.Model, c.Score))
		sum += p*math.Log(p/q) + (1-p)*math.Log((1-p)/(1-q))
	}
	return sum / float64(len(corrections))
}

func TestMoreCorrectionsTeachMore(t *testing.T) {
	unseen, probabilities := draw(99, 5000)
	last := math.Inf(1)
	for _, n := range []int{0, 30, 300, 3000, 12000} {
		sum := 0.0
		for seed := range uint64(3) {
			learned, _ := draw(seed, n)
			sum += excess(Fit(learned), unseen, probabilities) / 3
		}
		if sum >= last {
			t.Errorf("%d corrections: %g nats off, fewer had %g", n, sum, last)
		}
		last = sum
	}
	if last > 0.003 {
		t.Errorf("%g nats are left", last)
	}
}

// TestTreeBeatsOneLine compares with a book that is told neither models nor classes.
func TestTreeBeatsOneLine(t *testing.T) {
	unseen, probabilities := draw(99, 5000)
	learned, _ := draw(1, 1000)
	tree := excess(Fit(learned), unseen, probabilities)
	for i := range learned {
		learned[i] = Correction{Score: learned[i].Score, Accepted: learned[i].Accepted}
	}
	if line := excess(Fit(learned), unseen, probabilities); tree > line/2 {
		t.Errorf("the tree is %g nats off, one line %g", tree, line)
	}
}

// TestCountedOnce: corrections of one model and one class are those of all, and each level says no more than the one above.
func TestCountedOnce(t *testing.T) {
	learned, _ := draw(1, 20)
	for i := range learned {
		learned[i].Model, learned[i].Super, learned[i].Class = "a@1", "super 0", "class 0"
	}
	b := Fit(learned)
	for _, s := range []float32{0.01, 0.5, 0.9} {
		if got, want := b.Probability("class 0", "super 0", "a@1", s), b.All.Probability(s); got != want {
			t.Errorf("score %g: %g, and %g by the line of all", s, got, want)
		}
	}
	if class := b.All.Below["a@1"].Below["super 0"].Below["class 0"]; class == nil || class.N != 20 {
		t.Errorf("%+v", class)
	}
}

func TestWithoutCorrectionsTheScoreIsTheProbability(t *testing.T) {
	for _, b := range []*Book{{}, Fit(nil)} {
		for _, s := range []float32{0.001, 0.05, 0.5, 0.97} {
			if got := b.Probability("c", "s", "m", s); math.Abs(float64(got-s)) > 1e-6 {
				t.Errorf("%g became %g", s, got)
			}
		}
	}
}

// TestProbabilitiesRise looks at hostile corrections, too: those in which low scores are accepted and high ones are not.
func TestProbabilitiesRise(t *testing.T) {
	honest, _ := draw(1, 500)
	var perverse []Correction
	for _, c := range honest {
		c.Accepted = c.Score < 0.5
		perverse = append(perverse, c)
	}
	one := []Correction{{Model: "a@1", Class: "class 1", Super: "super 0", Score: float32(math.NaN()), Accepted: true}}
	for name, learned := range map[string][]Correction{"none": nil, "one": one, "honest": honest, "perverse": perverse} {
		b := Fit(learned)
		for _, model := range []string{"a@1", "b@1", "new@1"} {
			for _, class := range []string{"class 1", "class 8", "new"} {
				last := float32(0)
				for _, s := range []float32{float32(math.NaN()), float32(math.Inf(-1)), 0, 1e-7, 0.01, 0.1, 0.3, 0.5, 0.9, 0.999, 1, 7, float32(math.Inf(1))} {
					p := b.Probability(class, "super 0", model, s)
					if !(p > 0 && p < 1) || p < last {
						t.Errorf("%s: %s, %s: score %g has %g, a lower one %g", name, model, class, s, p, last)
					}
					last = p
				}
			}
		}
	}
}

func TestOrderDoesNotMatter(t *testing.T) {
	corrections, _ := draw(1, 400)
	want := Fit(corrections)
	for seed := range uint64(3) {
		rand.New(rand.NewPCG(seed, 0)).Shuffle(len(corrections), func(i, j int) { corrections[i], corrections[j] = corrections[j], corrections[i] })
		if diff := cmp.Diff(want, Fit(corrections)); diff != "" {
			t.Fatal(diff)
		}
	}
}

// TestNewClassesTakeTheirParents asks for what was never corrected. A new model keeps its score.
func TestNewClassesTakeTheirParents(t *testing.T) {
	corrections, _ := draw(1, 400)
	b := Fit(corrections)
	root := b.All
	for _, c := range []struct {
		class, super, model string
		line                *Line
	}{
		{"new", "super 1", "a@1", root.Below["a@1"].Below["super 1"]},
		{"new", "new", "a@1", root.Below["a@1"]},
		{"class 0", "super 0", "new@1", &Line{Slope: 1}},
	} {
		want := logistic.Sigmoid(c.line.Shift + c.line.Slope*logistic.Logit(0.25))
		if got := b.Probability(c.class, c.super, c.model, 0.25); math.Abs(float64(got)-want) > 1e-6 {
			t.Errorf("%+v: %g, want %g", c, got, want)
		}
	}
}

func TestBookComesBackFromJSON(t *testing.T) {
	corrections, _ := draw(1, 400)
	want := Fit(corrections)
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got Book
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, &got); diff != "" {
		t.Error(diff)
	}
}
