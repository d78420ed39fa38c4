package classify

import "math"

// outcome is what one forward pass says of a sample.
type outcome struct {
	loss, margin, pTrue, el2n float32
	correct                   bool
}

// outcomeOf reads logits, as they were before any smoothing. Cross-entropy is in nats; a tie for the largest logit counts as
// wrong, so that what is untrained is not right by the order of its classes.
func outcomeOf(logits []float32, label int) outcome {
	rival, largest := float32(math.Inf(-1)), logits[0]
	for c, v := range logits {
		largest = max(largest, v)
		if c != label {
			rival = max(rival, v)
		}
	}
	o := outcome{margin: logits[label] - rival}
	o.correct = o.margin > 0
	sum, square := 0.0, 0.0
	for c, v := range logits {
		e := math.Exp(float64(v - largest))
		sum += e
		if c != label {
			square += e * e
		}
	}
	o.loss = float32(math.Log(sum) - float64(logits[label]-largest))
	p := math.Exp(float64(logits[label]-largest)) / sum
	o.pTrue = float32(p)
	o.el2n = float32(math.Sqrt(square/sum/sum + (1-p)*(1-p)))
	return o
}

// norm is the L2 norm.
func norm(x []float32) float32 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return float32(math.Sqrt(sum))
}
