package autograd

import "slices"

// Group and layer normalization: each row of a matrix gets mean 0 and variance 1 (Ba et al. 2016; Wu and He 2018).

// rows describes how a node normalizes: x as [rows, length], then y = x̂·scale + bias in x's shape.
type rows struct {
	rows, length int64
	scale, bias  value // shaped to broadcast to x; the bias may be absent
	epsilon      float64
}

func (t *tape) rowsOf(n node) rows {
	x := n.in[0]
	r := rows{scale: n.in[1], epsilon: n.float("epsilon", 1e-5)}
	if n.given(2) {
		r.bias = n.in[2]
	}
	if n.GetOpType() == "GroupNormalization" {
		r.rows = x.dims[0] * n.int("num_groups", 1)
		r.scale, r.bias = t.perChannel(r.scale, x.rank()), t.perChannel(r.bias, x.rank())
	} else {
		r.rows = product(x.dims[:n.axis(-1, x.rank())])
	}
	r.length = x.size() / r.rows
	return r
}

// normalized returns x̂ [rows, length] and one over the deviation [rows, 1].
func (t *tape) normalized(x value, r rows) (unit, inverse value) {
	m := t.reshape(x, r.rows, r.length)
	centered := t.sub(m, t.mean(m, true, 1))
	variance := t.mean(t.mul(centered, centered), true, 1)
	inverse = t.inverse(variance, r.epsilon)
	return t.mul(centered, inverse), inverse
}

// rowNorm writes the node so that its gradient shares the statistics, if there is to be one.
func rowNorm(t *tape, n node) (value, error) {
	if !slices.ContainsFunc(n.in, t.needs) || len(n.out) > 1 {
		return value{}, nil
	}
	r := t.rowsOf(n)
	unit, _ := t.normalized(n.in[0], r)
	y := t.mul(t.reshape(unit, n.in[0].dims...), r.scale)
	if r.bias.ok() {
		y = t.add(y, r.bias)
	}
	return y, nil
}

func rowNormGrad(t *tape, n node, dy []value) ([]value, error) {
	x := n.in[0]
	r := t.rowsOf(n)
	unit, inverse := t.normalized(x, r)
	dx := make([]value, len(n.in))
	if t.needs(x) {
		d := t.reshape(t.mul(dy[0], r.scale), r.rows, r.length)
		along := t.mul(unit, t.mean(t.mul(d, unit), true, 1))
		dx[0] = t.reshape(t.mul(inverse, t.sub(t.sub(d, t.mean(d, true, 1)), along)), x.dims...)
	}
	if t.needs(n.in[1]) {
		each := t.mul(dy[0], t.reshape(unit, x.dims...))
		dx[1] = t.reshape(t.sumTo(each, r.scale.dims), n.in[1].dims...)
	}
	if r.bias.ok() && t.needs(n.in[2]) {
		dx[2] = t.reshape(t.sumTo(dy[0], r.bias.dims), n.in[2].dims...)
	}
	return dx, nil
}
