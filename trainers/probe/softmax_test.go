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
		probabilities(logits)
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

func TestProbabilities(t *testing.T) {
	logits := []float32{1001, 1003, 1002}
	probabilities(logits)
	sum := math.Exp(1) + math.Exp(3) + math.Exp(2)
	for c, want := range []float64{math.Exp(1) / sum, math.Exp(3) / sum, math.Exp(2) / sum} {
		if math.Abs(float64(logits[c])-want) > 1e-6 {
			t.Errorf("class %d has probability %g, want %g", c, logits[c], want)
		}
	}
}
