package probe

import (
	"math"
	"math/rand/v2"
	"testing"
)

func lossOf(s *softmax, x []float32, label int) float64 {
	logits := make([]float32, s.classes)
	s.logits(x, logits)
	sum := 0.0
	for _, v := range logits {
		sum += math.Exp(float64(v))
	}
	return math.Log(sum) - float64(logits[label])
}

func TestGradientAgainstFiniteDifferences(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 20 {
		s := newSoftmax(2+rng.IntN(4), 1+rng.IntN(6))
		for i := range s.w {
			s.w[i] = float32(rng.NormFloat64())
		}
		x := make([]float32, s.dim)
		for i := range x {
			x[i] = float32(rng.NormFloat64())
		}
		label := rng.IntN(s.classes)
		logits := make([]float32, s.classes)
		s.logits(x, logits)
		present(logits, label)
		grad := make([]float32, len(s.w))
		s.accumulate(grad, x, logits, label)
		for i := range s.w {
			const h = 1e-2
			w := s.w[i]
			s.w[i] = w + h
			up := lossOf(s, x, label)
			s.w[i] = w - h
			down := lossOf(s, x, label)
			s.w[i] = w
			if numeric := (up - down) / (2 * h); math.Abs(numeric-float64(grad[i])) > 2e-3 {
				t.Fatalf("gradient of weight %d is %g, finite differences say %g", i, grad[i], numeric)
			}
		}
	}
}

func TestPresent(t *testing.T) {
	logits := []float32{1, 3, 2}
	p := present(logits, 2)
	sum := math.Exp(1) + math.Exp(3) + math.Exp(2)
	want := []float64{math.Exp(1) / sum, math.Exp(3) / sum, math.Exp(2) / sum}
	el2n := math.Sqrt(want[0]*want[0] + want[1]*want[1] + (want[2]-1)*(want[2]-1))
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"loss", float64(p.loss), -math.Log(want[2])},
		{"margin", float64(p.margin), -1},
		{"p_true", float64(p.pTrue), want[2]},
		{"el2n", float64(p.el2n), el2n},
		{"probability", float64(logits[1]), want[1]},
	} {
		if math.Abs(c.got-c.want) > 1e-6 {
			t.Errorf("%s = %g, want %g", c.name, c.got, c.want)
		}
	}
	if p.correct {
		t.Error("called correct although another logit is larger")
	}
	if p := present([]float32{0, 0}, 0); p.correct {
		t.Error("a tie is called correct")
	}
	if p := present([]float32{1000, 0, 0}, 1); math.IsInf(float64(p.loss), 0) || math.Abs(float64(p.loss)-1000) > 1e-3 {
		t.Errorf("loss of far logits is %g, want 1000", p.loss)
	}
}
