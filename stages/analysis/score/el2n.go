package score

import "gleaner/schemas"

// EL2N is the mean norm of the error vector, ‖p - y‖₂, over the presentations of the epochs below early (Paul et al., "Deep Learning
// on a Data Diet: Finding Important Examples Early in Training", NeurIPS 2021; the paper averages over ten initializations: see Across).
func EL2N(c schemas.Curve, early uint32) float64 {
	return mean(func(yield func(int, float64) bool) {
		for i, v := range finite(c.EL2N) {
			if c.Epochs[i] < early && !yield(i, v) {
				return
			}
		}
	})
}

// GraNd is the mean norm of the gradient of the loss by the weights of the last layer, which is the outer product of p - y and the
// embedding and so has the norm ‖p - y‖₂·‖embedding‖₂, over the presentations of the epochs below early (Paul et al. 2021, whose
// GraNd is of all layers). Presentations without an embedding are left out.
func GraNd(c schemas.Curve, early uint32) float64 {
	return mean(func(yield func(int, float64) bool) {
		for i, norm := range finite(c.EmbNorm) {
			g := norm * float64(c.EL2N[i])
			if c.Epochs[i] < early && norm > 0 && isFinite(g) && !yield(i, g) {
				return
			}
		}
	})
}
