package autograd

import "slices"

// Batch normalization (Ioffe and Szegedy 2015).

// averaging is what batch normalizations in training form do beside: running averages follow the batches.
type averaging struct {
	momentum float64 // of the old average
	next     map[string]value
}

// batchStats are the mean and the variance, over all samples and places, of each channel [C].
func (t *tape) batchStats(x value) (mean, variance value) {
	n, c := x.dims[0], x.dims[1]
	rows := t.reshape(x, n, c, x.size()/n/c)
	mean = t.mean(t.mean(rows, false, 2), false, 0)
	centered := t.sub(rows, t.reshape(mean, c, 1))
	return mean, t.mean(t.mean(t.mul(centered, centered), false, 2), false, 0)
}

// batchNorm normalizes by the batch where averages follow, and else stays as it is.
func batchNorm(t *tape, n node) (value, error) {
	if t.average == nil {
		return value{}, nil
	}
	mean, variance := t.batchStats(n.in[0])
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
	x, scale, d := n.in[0], n.in[1], dy[0]
	c := x.dims[1]
	mean, variance := n.in[3], n.in[4]
	if t.average != nil {
		mean, variance = t.batchStats(x)
	}
	inverse := t.unary("Reciprocal", t.unary("Sqrt", t.shift(variance, n.float("epsilon", 1e-5))))
	dx := make([]value, len(n.in))
	wide := append([]int64{c}, slices.Repeat([]int64{1}, x.rank()-2)...)
	gain := t.mul(scale, inverse)
	if t.average == nil {
		if t.needs(x) {
			dx[0] = t.mul(d, t.reshape(gain, wide...))
		}
		if t.needs(scale) {
			unit := t.mul(t.sub(x, t.reshape(mean, wide...)), t.reshape(inverse, wide...))
			dx[1] = t.channelSum(t.mul(d, unit))
		}
		if t.needs(n.in[2]) {
			dx[2] = t.channelSum(d)
		}
		return dx, nil
	}
	count := float64(x.size() / c)
	rows := []int64{x.dims[0], c, x.size() / x.dims[0] / c}
	centered := t.sub(t.reshape(x, rows...), t.reshape(mean, c, 1))
	sum := t.channelSum(d)                                                        // of dy
	along := t.mul(t.channelSum(t.mul(t.reshape(d, rows...), centered)), inverse) // of dy·x̂
	if t.needs(x) {
		// dx = gain·(dy - mean(dy) - x̂·mean(dy·x̂)), whose terms in x and 1 are one affine map.
		slope := t.scale(t.mul(t.mul(gain, inverse), along), -1/count)
		level := t.scale(t.mul(gain, sum), -1/count)
		ones := t.filled(x.kind, c, 1)
		dx[0] = t.add(t.mul(d, t.reshape(gain, wide...)), t.affine(x, slope, level, mean, ones, 0))
	}
	dx[1], dx[2] = along, sum
	return dx, nil
}
