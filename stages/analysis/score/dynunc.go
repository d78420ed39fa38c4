package score

import (
	"math"

	"gleaner/schemas"
)

// DynUnc is the dynamic uncertainty: the standard deviation, over n - 1, of the label's probability within a window of consecutive
// presentations, averaged over all windows that the curve has room for (He et al., "Large-scale Dataset Pruning with Dynamic
// Uncertainty", 2023, with windows of 10). It is NaN for a curve shorter than a window.
func DynUnc(c schemas.Curve, window int) float64 {
	var p []float64
	for _, v := range finite(c.PTrue) {
		p = append(p, v)
	}
	sum, n := 0.0, 0
	for first := 0; first+window <= len(p); first++ {
		sum += deviation(p[first : first+window])
		n++
	}
	return sum / float64(n)
}

// deviation is the standard deviation of a sample, over n - 1.
func deviation(values []float64) float64 {
	m := 0.0
	for _, v := range values {
		m += v
	}
	m /= float64(len(values))
	squares := 0.0
	for _, v := range values {
		squares += (v - m) * (v - m)
	}
	return math.Sqrt(squares / float64(len(values)-1))
}
