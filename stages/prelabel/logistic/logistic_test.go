package logistic

import (
	"math"
	"math/rand/v2"
	"testing"
)

func data(seed uint64, n int, truth ...float64) (x [][]float64, y []bool) {
	r := rand.New(rand.NewPCG(seed, 0))
	for range n {
		row := make([]float64, len(truth))
		row[0] = 1
		for i := 1; i < len(row); i++ {
			row[i] = r.NormFloat64()
		}
		x, y = append(x, row), append(y, r.Float64() < Sigmoid(dot(row, truth)))
	}
	return x, y
}

func prior(d int, deviation, lower float64) Prior {
	p := Prior{make([]float64, d), make([]float64, d), make([]float64, d)}
	for i := range d {
		p.Deviation[i], p.Lower[i] = deviation, lower
	}
	return p
}

func TestFitFindsTheCoefficients(t *testing.T) {
	truth := []float64{-1, 2, 0.5, -1.5}
	x, y := data(1, 20000, truth...)
	got := Fit(x, y, prior(4, 100, math.Inf(-1)))
	for i, c := range got.Coefficients {
		if off := math.Abs(c - truth[i]); off > 4*math.Sqrt(got.Variances[i]) || off > 0.15 {
			t.Errorf("coefficient %d: %g ± %g, want %g", i, c, math.Sqrt(got.Variances[i]), truth[i])
		}
	}
}

// TestFitIsTheMode moves away from the mode within the bounds: nothing may be better.
func TestFitIsTheMode(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 1))
		x, y := data(seed, r.IntN(60), r.NormFloat64(), 2*r.NormFloat64(), 2*r.NormFloat64())
		p := prior(3, math.Exp(r.NormFloat64()), -r.Float64())
		got := Fit(x, y, p)
		top := logPosterior(x, y, p, got.Coefficients)
		for range 200 {
			other := make([]float64, 3)
			for i := range other {
				other[i] = max(got.Coefficients[i]+0.01*r.NormFloat64(), p.Lower[i])
			}
			if v := logPosterior(x, y, p, other); v > top+1e-7 {
				t.Fatalf("seed %d: %v is worth %g, %v is worth %g", seed, got.Coefficients, top, other, v)
			}
		}
		for i, c := range got.Coefficients {
			if c < p.Lower[i] || (got.Variances[i] == 0) != (c == p.Lower[i]) {
				t.Errorf("seed %d: coefficient %d is %g, variance %g, bound %g", seed, i, c, got.Variances[i], p.Lower[i])
			}
		}
	}
}

func TestFitWithoutRowsIsThePrior(t *testing.T) {
	p := Prior{[]float64{1, 2}, []float64{0.5, 3}, []float64{math.Inf(-1), 0}}
	got := Fit(nil, nil, p)
	for i := range p.Mean {
		if got.Coefficients[i] != p.Mean[i] || math.Abs(math.Sqrt(got.Variances[i])-p.Deviation[i]) > 1e-12 {
			t.Errorf("%+v", got)
		}
	}
}

// TestFitOfSeparableRows ends, since the prior holds the coefficients.
func TestFitOfSeparableRows(t *testing.T) {
	got := Fit([][]float64{{1, -1}, {1, 1}}, []bool{false, true}, prior(2, 10, math.Inf(-1)))
	if c := got.Coefficients; math.Abs(c[0]) > 1e-6 || !(c[1] > 1 && c[1] < 20) {
		t.Errorf("%v", c)
	}
}

func TestLogit(t *testing.T) {
	for _, p := range []float64{1e-5, 0.1, 0.5, 0.9, 0.99999} {
		if got := Sigmoid(Logit(p)); math.Abs(got-p) > 1e-12 {
			t.Errorf("%g came back as %g", p, got)
		}
	}
	for _, p := range []float64{math.NaN(), math.Inf(-1), 0} {
		if got := Logit(p); got != Logit(1e-6) {
			t.Errorf("%g: %g", p, got)
		}
	}
	if got := Logit(2); got != Logit(1-1e-6) || math.IsInf(got, 0) {
		t.Errorf("%g", got)
	}
}
