package autograd

func softmaxGrad(t *tape, n node, dy []value) ([]value, error) {
	y := n.out[0]
	axis := int64(n.axis(-1, y.rank()))
	dot := t.sum(t.mul(dy[0], y), true, axis)
	return []value{t.mul(y, t.sub(dy[0], dot))}, nil
}

func logSoftmaxGrad(t *tape, n node, dy []value) ([]value, error) {
	axis := int64(n.axis(-1, n.out[0].rank()))
	return []value{t.sub(dy[0], t.mul(t.unary("Exp", n.out[0]), t.sum(dy[0], true, axis)))}, nil
}
