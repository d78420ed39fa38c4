package autograd

// reduced is the gradient of a reduction: d, with the axes kept, times the slope, spread over x where that is smaller.
func reduced(s func(t *tape, x, y, d value, axes []int64) value) func(*tape, node, []value) ([]value, error) {
	return func(t *tape, n node, dy []value) ([]value, error) {
		x := n.in[0]
		if !n.given(1) && n.int("noop_with_empty_axes", 0) != 0 {
			return identityGrad(t, n, dy)
		}
		axes, err := t.axes(n, 1, x.rank())
		if err != nil {
			return nil, err
		}
		kept := append([]int64{}, x.dims...)
		for _, a := range axes {
			kept[a] = 1
		}
		return []value{t.expand(s(t, x, t.reshape(n.out[0], kept...), t.reshape(dy[0], kept...), axes), x.dims...)}, nil
	}
}

func sumSlope(_ *tape, _, _, d value, _ []int64) value { return d }

func meanSlope(t *tape, x, _, d value, _ []int64) value {
	return t.scale(d, float64(d.size())/float64(x.size()))
}

func sumSquareSlope(t *tape, x, _, d value, _ []int64) value { return t.mul(x, t.scale(d, 2)) }

func l1Slope(t *tape, x, _, d value, _ []int64) value { return t.mul(t.unary("Sign", x), d) }

func l2Slope(t *tape, x, y, d value, _ []int64) value { return t.mul(x, t.div(d, y)) }

func logSumSlope(t *tape, _, y, d value, _ []int64) value {
	return t.mul(d, t.unary("Exp", t.unary("Neg", y)))
}

func logSumExpSlope(t *tape, x, y, d value, _ []int64) value {
	return t.mul(t.unary("Exp", t.sub(x, y)), d)
}

func extremeSlope(t *tape, x, y, d value, axes []int64) value { return t.shared(x, y, d, axes) }

// prodSlope is the product of the others, which is zero where another element is.
func prodSlope(t *tape, x, _, d value, axes []int64) value {
	zero := t.compare("Equal", x, t.scalar(x.kind, 0))
	factors := t.add(x, zero)
	others := t.div(t.reduce("ReduceProd", factors, true, axes...), factors)
	return t.mul(t.mul(d, t.compare("Equal", t.sum(zero, true, axes...), zero)), others)
}
