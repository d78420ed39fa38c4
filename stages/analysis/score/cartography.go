package score

import (
	"math"

	"gleaner/schemas"
)

// Cartography places an object on the map of Swayamdipta et al., "Dataset Cartography: Mapping and Diagnosing Datasets with
// Training Dynamics", EMNLP 2020.
type Cartography struct {
	Confidence  float64 // mean probability of the label over the presentations, [0,1]
	Variability float64 // standard deviation of that probability, over n, [0,0.5]
	Correctness float64 // share of the presentations that were classified correctly, [0,1]
}

// CartographyOf places a curve.
func CartographyOf(c schemas.Curve) Cartography {
	confidence := mean(finite(c.PTrue))
	squares, n := 0.0, 0
	for _, p := range finite(c.PTrue) {
		squares += (p - confidence) * (p - confidence)
		n++
	}
	correct := 0
	for _, right := range c.Correct {
		if right {
			correct++
		}
	}
	return Cartography{
		Confidence:  confidence,
		Variability: math.Sqrt(squares / float64(n)),
		Correctness: float64(correct) / float64(len(c.Correct)),
	}
}
