// Package measure has the figures that all trainers report alike.
package measure

import (
	"math"
	"slices"
)

// Outcome is what one presentation says of a sample, as schemas.LossRow has it.
type Outcome struct {
	Loss    float32 // cross-entropy in nats
	Margin  float32 // the label's logit less the largest of the others
	PTrue   float32 // probability of the label, in [0, 1]
	EL2N    float32 // norm of the probabilities less the one-hot label, in [0, √2] (Paul et al. 2021)
	Correct bool    // Margin above 0: a tie is wrong, so that what is untrained is not right by the order of its classes
}

// Of reads logits [classes], as they are before any smoothing of labels. It does not overflow.
func Of(logits []float32, label int) Outcome {
	rival, largest := float32(math.Inf(-1)), logits[0]
	for c, v := range logits {
		largest = max(largest, v)
		if c != label {
			rival = max(rival, v)
		}
	}
	o := Outcome{Margin: logits[label] - rival}
	o.Correct = o.Margin > 0
	sum, square := 0.0, 0.0
	for c, v := range logits {
		e := math.Exp(float64(v - largest))
		sum += e
		if c != label {
			square += e * e
		}
	}
	o.Loss = float32(math.Log(sum) - float64(logits[label]-largest))
	p := math.Exp(float64(logits[label]-largest)) / sum
	o.PTrue = float32(p)
	o.EL2N = float32(math.Sqrt(square/sum/sum + (1-p)*(1-p)))
	return o
}

// Norm is the L2 norm.
func Norm(x []float32) float32 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return float32(math.Sqrt(sum))
}

// Majority is the accuracy on held-out labels of always naming the most frequent of those to train on, of which there is one at least;
// of several, the lowest. NaN where nothing is held out.
func Majority(train, held []int) float64 {
	if len(held) == 0 {
		return math.NaN()
	}
	count := make([]int, slices.Max(train)+1)
	for _, c := range train {
		count[c]++
	}
	most, right := slices.Index(count, slices.Max(count)), 0
	for _, c := range held {
		if c == most {
			right++
		}
	}
	return float64(right) / float64(len(held))
}
