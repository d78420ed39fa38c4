package autograd

import (
	"errors"
	"slices"
)

func convGrad(t *tape, n node, dy []value) ([]value, error) {
	x, weight, d := n.in[0], n.in[1], dy[0]
	w := windowOf(n, weight.dims[2:], x.dims[2:], d.dims[2:])
	group := n.int("group", 1)
	dx := make([]value, len(n.in))
	if t.needs(x) {
		dx[0] = t.convDataGrad(d, weight, w, group, x.dims)
	}
	if t.needs(weight) {
		dx[1] = t.convWeightGrad(x, d, w, group)
	}
	if n.given(2) && t.needs(n.in[2]) {
		dx[2] = t.channelSum(d)
	}
	return dx, nil
}

// channelSum sums [N, C, …] to [C].
func (b *builder) channelSum(x value) value {
	return b.reshape(b.sumTo(x, append([]int64{x.dims[1]}, slices.Repeat([]int64{1}, x.rank()-2)...)), x.dims[1])
}

// convDataGrad is a ConvTranspose, or, without strides and where the runtime is faster at it, a Conv by the kernel turned around.
func (t *tape) convDataGrad(d, weight value, w window, group int64, dims []int64) value {
	turned := w
	turned.before, turned.after = slices.Clone(w.before), slices.Clone(w.after)
	fits := true
	for i := range w.kernel {
		turned.before[i], turned.after[i] = w.reach(i)-1-w.before[i], w.reach(i)-1-w.after[i]
		fits = fits && w.strides[i] == 1 && turned.before[i] >= 0 && turned.after[i] >= 0
	}
	depthwise := dims[1] == group && d.dims[1] == group
	switch {
	case fits && depthwise:
		return t.conv(d, t.flipped(weight, iota64(weight.rank())[2:]...), turned, group, dims[2:])
	case fits && t.canBlock(d, dims[1], group):
		return t.blockedConv(d, t.turnedFilters(weight), value{}, turned, dims[2:])
	}
	return t.back(d, weight, w, group, dims[2:])
}

// convTransposeGrad: the operator is Conv's gradient, so Conv is its. Rows that output_padding adds are seen by no window.
func convTransposeGrad(t *tape, n node, dy []value) ([]value, error) {
	if n.attribute("output_shape") != nil || n.text("auto_pad", "NOTSET") != "NOTSET" {
		return nil, errors.New("output_shape and auto_pad are not supported: export it with pads")
	}
	x, weight, d := n.in[0], n.in[1], dy[0]
	w := windowOf(n, weight.dims[2:], d.dims[2:], x.dims[2:])
	group := n.int("group", 1)
	dx := make([]value, len(n.in))
	if t.needs(x) {
		dx[0] = t.conv(d, weight, w, group, x.dims[2:])
	}
	if t.needs(weight) {
		dx[1] = t.convWeightGrad(d, x, w, group)
	}
	if n.given(2) && t.needs(n.in[2]) {
		dx[2] = t.channelSum(d)
	}
	return dx, nil
}
