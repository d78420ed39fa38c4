package score

import (
	"math"
	"math/rand/v2"

	"gleaner/schemas"
)

// realistic makes a curve of the shape that training gives: a margin that grows towards a level with noise, from which all else follows as
// of two classes.
func realistic(r *rand.Rand, epochs int) schemas.Curve {
	level, pace, noise := 8-12*r.Float64()*r.Float64(), 1+15*r.Float64(), 0.2+2*r.Float64()
	var c schemas.Curve
	for e := range epochs {
		margin := -2 + (level+2)*(1-math.Exp(-float64(e)/pace)) + noise*r.NormFloat64()
		present(&c, uint32(e), margin, 3+r.Float64())
	}
	return c
}

// present appends a presentation.
func present(c *schemas.Curve, epoch uint32, margin, norm float64) {
	p := 1 / (1 + math.Exp(-margin))
	c.Epochs = append(c.Epochs, epoch)
	c.Margin = append(c.Margin, float32(margin))
	c.PTrue = append(c.PTrue, float32(p))
	c.Loss = append(c.Loss, float32(math.Log1p(math.Exp(-margin))))
	c.Correct = append(c.Correct, margin > 0)
	c.EL2N = append(c.EL2N, float32(math.Sqrt2*(1-p)))
	c.EmbNorm = append(c.EmbNorm, float32(norm))
}

// arbitrary makes a curve without any shape, with gaps between its epochs and values that are no numbers.
func arbitrary(r *rand.Rand, presentations int) schemas.Curve {
	var c schemas.Curve
	epoch := uint32(r.IntN(3))
	value := func(scale float64) float32 {
		switch r.IntN(40) {
		case 0:
			return float32(math.NaN())
		case 1:
			return float32(math.Inf(1 - 2*r.IntN(2)))
		case 2:
			return 0
		}
		return float32(scale * r.NormFloat64())
	}
	for range presentations {
		c.Epochs = append(c.Epochs, epoch)
		c.Loss = append(c.Loss, float32(math.Abs(float64(value(3)))))
		c.Margin = append(c.Margin, value(10))
		c.PTrue = append(c.PTrue, float32(math.Min(1, math.Abs(float64(value(0.5))))))
		c.EL2N = append(c.EL2N, float32(math.Abs(float64(value(1)))))
		c.EmbNorm = append(c.EmbNorm, float32(math.Abs(float64(value(20)))))
		c.Correct = append(c.Correct, r.IntN(2) == 0)
		epoch += 1 + uint32(r.IntN(4)*r.IntN(2))
	}
	return c
}

// shuffled is a curve with its presentations in another order, as if the epochs had been permuted.
func shuffled(r *rand.Rand, c schemas.Curve) schemas.Curve {
	out := schemas.Curve{Epochs: c.Epochs}
	for _, i := range r.Perm(c.Len()) {
		out.Loss = append(out.Loss, c.Loss[i])
		out.Margin = append(out.Margin, c.Margin[i])
		out.PTrue = append(out.PTrue, c.PTrue[i])
		out.Correct = append(out.Correct, c.Correct[i])
		out.EL2N = append(out.EL2N, c.EL2N[i])
		out.EmbNorm = append(out.EmbNorm, c.EmbNorm[i])
	}
	return out
}
