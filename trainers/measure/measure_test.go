package measure

import (
	"math"
	"testing"
)

// TestOf compares with the definitions in float64.
func TestOf(t *testing.T) {
	for _, c := range []struct {
		logits                    []float32
		label                     int
		loss, margin, pTrue, el2n float64
		correct                   bool
	}{
		{[]float32{0, 0}, 0, math.Ln2, 0, 0.5, math.Sqrt(0.5), false}, // a tie
		{[]float32{1, 2, 3}, 2, 0.4076059644, 1, 0.6652409558, 0.4243361354, true},
		{[]float32{1000, 0}, 1, 1000, -1000, 0, math.Sqrt2, false},
		{[]float32{-1000, 0}, 1, 0, 1000, 1, 0, true},
	} {
		o := Of(c.logits, c.label)
		for name, pair := range map[string][2]float64{
			"loss": {float64(o.Loss), c.loss}, "margin": {float64(o.Margin), c.margin}, "p_true": {float64(o.PTrue), c.pTrue}, "el2n": {float64(o.EL2N), c.el2n},
		} {
			if math.Abs(pair[0]-pair[1]) > 1e-6*max(1, math.Abs(pair[1])) {
				t.Errorf("%v, label %d: %s %g, want %g", c.logits, c.label, name, pair[0], pair[1])
			}
		}
		if o.Correct != c.correct {
			t.Errorf("%v, label %d: correct %t", c.logits, c.label, o.Correct)
		}
	}
}

func TestNormAndMajority(t *testing.T) {
	if n := Norm([]float32{3, 4}); n != 5 {
		t.Errorf("norm %g, want 5", n)
	}
	if m := Majority([]int{1, 1, 1, 0, 0}, []int{1, 0, 1, 2}); m != 0.5 {
		t.Errorf("always naming 1 is right on %g of those held out", m)
	}
	if m := Majority([]int{1}, nil); !math.IsNaN(m) {
		t.Errorf("%g of nothing", m)
	}
}
