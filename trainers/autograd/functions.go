package autograd

import "math"

// slope is the derivative of a function of single elements, or absent where it is 1, at x where it is y.
type slope func(t *tape, n node, x, y value) value

// pointwise multiplies by the slope.
func pointwise(s slope) func(*tape, node, []value) ([]value, error) {
	return func(t *tape, n node, dy []value) ([]value, error) {
		return []value{t.mul(dy[0], s(t, n, n.in[0], n.out[0]))}, nil
	}
}

func negSlope(t *tape, _ node, x, _ value) value { return t.scalar(x.kind, -1) }

func absSlope(t *tape, _ node, x, _ value) value { return t.unary("Sign", x) }

func reciprocalSlope(t *tape, _ node, _, y value) value { return t.unary("Neg", t.mul(y, y)) }

func sqrtSlope(t *tape, _ node, _, y value) value { return t.div(t.scalar(y.kind, 0.5), y) }

func expSlope(_ *tape, _ node, _, y value) value { return y }

func logSlope(t *tape, _ node, x, _ value) value { return t.unary("Reciprocal", x) }

func sinSlope(t *tape, _ node, x, _ value) value { return t.unary("Cos", x) }

func cosSlope(t *tape, _ node, x, _ value) value { return t.unary("Neg", t.unary("Sin", x)) }

func erfSlope(t *tape, _ node, x, _ value) value {
	return t.scale(t.unary("Exp", t.unary("Neg", t.mul(x, x))), 2/math.Sqrt(math.Pi))
}
