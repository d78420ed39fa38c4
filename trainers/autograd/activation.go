package autograd

import "math"

func reluSlope(t *tape, _ node, _, y value) value { return t.positive(y) }

// positive is 1 where x is above zero, else 0.
func (b *builder) positive(x value) value { return b.compare("Greater", x, b.scalar(x.kind, 0)) }

// leakySlope is alpha where x is not above zero.
func leakySlope(t *tape, n node, x, _ value) value {
	alpha := n.float("alpha", 0.01)
	return t.shift(t.scale(t.positive(x), 1-alpha), alpha)
}

func preluGrad(t *tape, n node, dy []value) ([]value, error) {
	x, s := n.in[0], n.in[1]
	negative := t.compare("Less", x, t.scalar(x.kind, 0))
	return []value{
		t.summed(n, 0, func() value { return t.mul(dy[0], t.add(t.shift(t.unary("Neg", negative), 1), t.mul(negative, s))) }),
		t.summed(n, 1, func() value { return t.mul(dy[0], t.mul(negative, x)) }),
	}, nil
}

// eluSlope is y + alpha below zero, and 1 above.
func eluSlope(t *tape, n node, x, y value) value {
	above := t.positive(x)
	return t.add(above, t.mul(t.shift(t.unary("Neg", above), 1), t.shift(y, n.float("alpha", 1))))
}

func sigmoidSlope(t *tape, _ node, _, y value) value { return t.sub(y, t.mul(y, y)) }

// hardSigmoidSlope is alpha where the output is between its bounds.
func hardSigmoidSlope(t *tape, n node, _, y value) value {
	inside := t.mul(t.positive(y), t.compare("Less", y, t.scalar(y.kind, 1)))
	return t.scale(inside, n.float("alpha", 0.2))
}

// hardSwishSlope is that of x·max(0, min(1, x/6 + 1/2)).
func hardSwishSlope(t *tape, _ node, x, _ value) value {
	three := t.scalar(x.kind, 3)
	inside := t.mul(t.compare("Greater", x, t.unary("Neg", three)), t.compare("Less", x, three))
	above := t.compare("GreaterOrEqual", x, three)
	return t.add(above, t.mul(inside, t.shift(t.scale(x, 1.0/3), 0.5)))
}

func tanhSlope(t *tape, _ node, _, y value) value { return t.shift(t.unary("Neg", t.mul(y, y)), 1) }

func softplusSlope(t *tape, _ node, x, _ value) value { return t.unary("Sigmoid", x) }

// mishSlope is that of x·tanh(softplus(x)).
func mishSlope(t *tape, _ node, x, _ value) value {
	th := t.unary("Tanh", t.unary("Softplus", x))
	return t.add(th, t.mul(t.mul(x, t.unary("Sigmoid", x)), t.shift(t.unary("Neg", t.mul(th, th)), 1)))
}

// geluSlope is that of x·Φ(x), or of the approximation by tanh (Hendrycks and Gimpel 2016).
func geluSlope(t *tape, n node, x, _ value) value {
	if n.text("approximate", "none") == "tanh" {
		const a = 0.044715
		c := math.Sqrt(2 / math.Pi)
		square := t.mul(x, x)
		th := t.unary("Tanh", t.scale(t.mul(x, t.shift(t.scale(square, a), 1)), c))
		inner := t.scale(t.shift(t.scale(square, 3*a), 1), c)
		steep := t.mul(t.mul(x, t.shift(t.unary("Neg", t.mul(th, th)), 1)), inner)
		return t.scale(t.shift(t.add(th, steep), 1), 0.5)
	}
	// With u = x/√2: Φ(x) = (1 + erf(u))/2, whose slope times x is u·exp(-u²)/√π.
	u := t.scale(x, math.Sqrt2/2)
	cumulative := t.op("HardSigmoid", x.kind, x.dims, []value{t.unary("Erf", u)}, floatAttr("alpha", 0.5), floatAttr("beta", 0.5))
	exponent := t.sub(t.scalar(x.kind, -math.Log(math.Pi)/2), t.mul(u, u))
	return t.add(cumulative, t.mul(u, t.unary("Exp", exponent)))
}

// clipGrad passes what is strictly between the bounds; these are not learned.
func clipGrad(t *tape, n node, dy []value) ([]value, error) {
	dx := dy[0]
	if n.given(1) {
		dx = t.mul(dx, t.compare("Greater", n.in[0], n.in[1]))
	}
	if n.given(2) {
		dx = t.mul(dx, t.compare("Less", n.in[0], n.in[2]))
	}
	return []value{dx}, nil
}
