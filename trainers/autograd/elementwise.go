package autograd

// Gradients of operators on elements of several tensors, with broadcasting.

// flat is the gradient of what is constant almost everywhere.
func flat(*tape, node, []value) ([]value, error) { return nil, nil }

// summed undoes the broadcast of each input.
func (t *tape) summed(n node, i int, g func() value) value {
	if !t.needs(n.in[i]) {
		return value{}
	}
	return t.sumTo(g(), n.in[i].dims)
}

func addGrad(t *tape, n node, dy []value) ([]value, error) {
	same := func() value { return dy[0] }
	return []value{t.summed(n, 0, same), t.summed(n, 1, same)}, nil
}

func subGrad(t *tape, n node, dy []value) ([]value, error) {
	dx := t.summed(n, 0, func() value { return dy[0] })
	if !t.needs(n.in[1]) {
		return []value{dx, {}}, nil
	}
	return []value{dx, t.unary("Neg", t.sumTo(dy[0], n.in[1].dims))}, nil
}

func mulGrad(t *tape, n node, dy []value) ([]value, error) {
	return []value{
		t.summed(n, 0, func() value { return t.mul(dy[0], n.in[1]) }),
		t.summed(n, 1, func() value { return t.mul(dy[0], n.in[0]) }),
	}, nil
}

func divGrad(t *tape, n node, dy []value) ([]value, error) {
	return []value{
		t.summed(n, 0, func() value { return t.div(dy[0], n.in[1]) }),
		t.summed(n, 1, func() value { return t.unary("Neg", t.div(t.mul(dy[0], n.out[0]), n.in[1])) }),
	}, nil
}

// powGrad takes the logarithm of x only for the exponent's gradient, which is not defined for x below zero.
func powGrad(t *tape, n node, dy []value) ([]value, error) {
	x, p := n.in[0], t.cast(n.in[1], n.in[0].kind)
	return []value{
		t.summed(n, 0, func() value {
			return t.mul(dy[0], t.mul(p, t.binary("Pow", x, t.shift(p, -1))))
		}),
		t.summed(n, 1, func() value { return t.mul(dy[0], t.mul(n.out[0], t.unary("Log", x))) }),
	}, nil
}

func sumGrad(t *tape, n node, dy []value) ([]value, error) {
	dx := make([]value, len(n.in))
	for i := range dx {
		dx[i] = t.summed(n, i, func() value { return dy[0] })
	}
	return dx, nil
}

// extremeGrad shares the gradient equally among the inputs that are the extreme.
func extremeGrad(t *tape, n node, dy []value) ([]value, error) {
	var chosen []value
	var count value
	for i, x := range n.in {
		c := t.compare("Equal", n.out[0], x)
		if chosen = append(chosen, c); i == 0 {
			count = c
		} else {
			count = t.add(count, c)
		}
	}
	share := t.div(dy[0], count)
	dx := make([]value, len(n.in))
	for i := range dx {
		dx[i] = t.summed(n, i, func() value { return t.mul(share, chosen[i]) })
	}
	return dx, nil
}

func whereGrad(t *tape, n node, dy []value) ([]value, error) {
	zero := t.scalar(dy[0].kind, 0)
	pick := func(x, y value) func() value {
		return func() value { return t.op("Where", dy[0].kind, dy[0].dims, []value{n.in[0], x, y}) }
	}
	return []value{{}, t.summed(n, 1, pick(dy[0], zero)), t.summed(n, 2, pick(zero, dy[0]))}, nil
}

func identityGrad(_ *tape, _ node, dy []value) ([]value, error) { return dy[:1], nil }

func castGrad(t *tape, n node, dy []value) ([]value, error) {
	return []value{t.cast(dy[0], n.in[0].kind)}, nil
}
