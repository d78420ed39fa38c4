package probe

import (
	"math"
	"math/rand/v2"
	"slices"
)

// softmax is multinomial logistic regression trained by SGD with momentum and weight decay.
type softmax struct {
	classes, dim int
	w            []float32 // [classes, dim+1], the last column is the bias
	velocity     []float32
}

func newSoftmax(classes, dim int) *softmax {
	return &softmax{
		classes: classes, dim: dim,
		w:        make([]float32, classes*(dim+1)),
		velocity: make([]float32, classes*(dim+1)),
	}
}

// logits writes the [classes] logits of x [dim].
func (s *softmax) logits(x, out []float32) {
	for c := range out {
		row := s.w[c*(s.dim+1) : (c+1)*(s.dim+1)]
		sum := row[s.dim]
		for i, v := range x {
			sum += v * row[i]
		}
		out[c] = sum
	}
}

// probabilities turns logits into them, in place.
func probabilities(logits []float32) {
	largest, sum := slices.Max(logits), 0.0
	for _, v := range logits {
		sum += math.Exp(float64(v - largest))
	}
	for c, v := range logits {
		logits[c] = float32(math.Exp(float64(v-largest)) / sum)
	}
}

// accumulate adds the gradient of the cross-entropy of one vector to grad.
func (s *softmax) accumulate(grad, x, probabilities []float32, label int) {
	for c, p := range probabilities {
		if c == label {
			p--
		}
		row := grad[c*(s.dim+1) : (c+1)*(s.dim+1)]
		for i, v := range x {
			row[i] += p * v
		}
		row[s.dim] += p
	}
}

// update takes one step along the mean gradient of n vectors and clears grad. Biases do not decay.
func (s *softmax) update(grad []float32, n int, rate, momentum, decay float32) {
	inv := 1 / float32(n)
	for i, g := range grad {
		g *= inv
		if i%(s.dim+1) != s.dim {
			g += decay * s.w[i]
		}
		s.velocity[i] = momentum*s.velocity[i] + g
		s.w[i] -= rate * s.velocity[i]
		grad[i] = 0
	}
}

// shuffled returns 0..n-1 in an order that depends on seed and epoch alone.
func shuffled(n int, seed int64, epoch uint32) []int {
	return rand.New(rand.NewPCG(uint64(seed), uint64(epoch))).Perm(n)
}
