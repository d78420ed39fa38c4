package autograd

import "slices"

// Batch normalization (Ioffe and Szegedy 2015), and what is written as it.

// averaging is what batch normalizations in training form do beside: running averages follow the batches.
type averaging struct {
	momentum float64 // of the old average
	next     map[string]value
}

// batchStats are the mean and the variance, over all samples and places, of each channel [C], and x [N, C, places] less the
// mean.
func (t *tape) batchStats(x value) (mean, variance, centered value) {
	n, c := x.dims[0], x.dims[1]
	rows := t.reshape(x, n, c, x.size()/n/c)
	mean = t.mean(t.mean(rows, false, 2), false, 0)
	centered = t.sub(rows, t.reshape(mean, c, 1))
	return mean, t.scale(t.mean(t.dots(centered, centered), false, 0), float64(n*c)/float64(x.size())), centered
}

// dots are the inner products [N, C] of the rows of x and y [N, C, places]. Those of long rows are products of matrices, in which
// the runtime needs no tensor for the products of elements.
func (t *tape) dots(x, y value) value {
	const long = 512
	n, c, places := x.dims[0], x.dims[1], x.dims[2]
	if places < long {
		return t.sum(t.mul(x, y), false, 2)
	}
	return t.reshape(t.matmul(t.reshape(x, n*c, 1, places), t.swapped(t.reshape(y, n*c, 1, places))), n, c)
}

// batchNorm normalizes by the batch where averages follow, and else stays as it is.
func batchNorm(t *tape, n node) (value, error) {
	if t.average == nil {
		return value{}, nil
	}
	mean, variance, _ := t.batchStats(n.in[0])
	for i, now := range []value{mean, variance} {
		if old := n.in[3+i]; t.constants[old.name] == nil {
			t.average.next[old.name] = t.add(t.scale(old, t.average.momentum), t.scale(now, 1-t.average.momentum))
		}
	}
	return t.affine(n.in[0], n.in[1], n.in[2], mean, variance, n.float("epsilon", 1e-5)), nil
}

// affine is (x - mean)/sqrt(variance + epsilon)·scale + bias by channels, as the runtime's own operator has it.
func (t *tape) affine(x, scale, bias, mean, variance value, epsilon float64) value {
	return t.op("BatchNormalization", x.kind, x.dims, []value{x, scale, bias, mean, variance}, floatAttr("epsilon", epsilon))
}

func batchNormGrad(t *tape, n node, dy []value) ([]value, error) {
	x, scale, epsilon := n.in[0], n.in[1], n.float("epsilon", 1e-5)
	if t.average == nil {
		return t.frozenNormGrad(n, dy[0], epsilon), nil
	}
	dx, dscale, dbias := t.batchNormBack(x, scale, dy[0], epsilon)
	return append([]value{dx, dscale, dbias}, make([]value, 2)...), nil
}

// batchNormBack returns the gradients of x, where it is needed, of the scale and of the bias.
func (t *tape) batchNormBack(x, scale, d value, epsilon float64) (dx, dscale, dbias value) {
	n, c := x.dims[0], x.dims[1]
	mean, variance, centered := t.batchStats(x)
	inverse := t.inverse(variance, epsilon)
	rows := t.reshape(d, n, c, x.size()/n/c)
	dbias = t.channelSum(rows)
	dscale = t.mul(t.sum(t.dots(rows, centered), false, 0), inverse)
	// dx = gain·(d - mean(d) - x̂·mean(d·x̂)), whose terms in x and 1 are one affine map.
	gain := t.mul(scale, inverse)
	share := -float64(c) / float64(x.size())
	slope, level := t.scale(t.mul(t.mul(gain, inverse), dscale), share), t.scale(t.mul(gain, dbias), share)
	flat := t.affine(x, slope, level, mean, t.filled(x.kind, c, 1), 0)
	return t.add(t.mul(d, t.perChannel(gain, x.rank())), flat), dscale, dbias
}

// frozenNormGrad is that of a normalization by constants.
func (t *tape) frozenNormGrad(n node, d value, epsilon float64) []value {
	x, scale, rank := n.in[0], n.in[1], n.in[0].rank()
	inverse := t.inverse(n.in[4], epsilon)
	dx := make([]value, len(n.in))
	if t.needs(x) {
		dx[0] = t.mul(d, t.perChannel(t.mul(scale, inverse), rank))
	}
	if t.needs(scale) {
		unit := t.mul(t.sub(x, t.perChannel(n.in[3], rank)), t.perChannel(inverse, rank))
		dx[1] = t.channelSum(t.mul(d, unit))
	}
	if t.needs(n.in[2]) {
		dx[2] = t.channelSum(d)
	}
	return dx
}

// inverse is one over the deviation.
func (t *tape) inverse(variance value, epsilon float64) value {
	return t.unary("Reciprocal", t.unary("Sqrt", t.shift(variance, epsilon)))
}

// perChannel shapes [C] to broadcast to [N, C, …].
func (b *builder) perChannel(x value, rank int) value {
	return b.reshape(x, append([]int64{x.size()}, slices.Repeat([]int64{1}, rank-2)...)...)
}

// instances sees each channel of each sample as a channel of its own: x [1, N·C, …] and scale or bias [N·C].
func (t *tape) instances(x value, each ...value) (value, []value) {
	n, c := x.dims[0], x.dims[1]
	out := make([]value, len(each))
	for i, v := range each {
		out[i] = t.reshape(t.expand(v, n, c), n*c)
	}
	return t.reshape(x, append([]int64{1, n * c}, x.dims[2:]...)...), out
}

// instanceNorm (Ulyanov et al. 2016) is batch normalization of instances.
func instanceNorm(t *tape, n node) (value, error) {
	if !slices.ContainsFunc(n.in, t.needs) {
		return value{}, nil
	}
	x, affine := t.instances(n.in[0], n.in[1:]...)
	mean, variance, _ := t.batchStats(x)
	return t.reshape(t.affine(x, affine[0], affine[1], mean, variance, n.float("epsilon", 1e-5)), n.in[0].dims...), nil
}

func instanceNormGrad(t *tape, n node, dy []value) ([]value, error) {
	whole := n.in[0]
	x, affine := t.instances(whole, n.in[1:]...)
	dx, dscale, dbias := t.batchNormBack(x, affine[0], t.reshape(dy[0], x.dims...), n.float("epsilon", 1e-5))
	each := func(v value) value { return t.sum(t.reshape(v, whole.dims[0], whole.dims[1]), false, 0) }
	return []value{t.reshape(dx, whole.dims...), each(dscale), each(dbias)}, nil
}
