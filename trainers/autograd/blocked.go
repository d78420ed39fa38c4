package autograd

// The runtime's blocked layout (domain com.microsoft.nchwc): [N, C/16, H, W, 16] on processors with AVX-512. The runtime uses it
// by itself for constant weights only.

import (
	"slices"

	"gleaner/connectors/onnx"
)

const block = 16 // channels

// canBlock tells whether a convolution from x [N, C, H, W] to o channels has a blocked form and is to have it.
func (t *tape) canBlock(x value, o, group int64) bool {
	return t.blocked && x.rank() == 4 && group == 1 && x.dims[1]%block == 0 && o%block == 0
}

func convForward(t *tape, n node) (value, error) {
	x, weight, out := n.in[0], n.in[1], n.out[0].dims[2:]
	if x.rank() < 3 || !t.canBlock(x, weight.dims[0], n.int("group", 1)) {
		return value{}, nil
	}
	var bias value
	if n.given(2) {
		bias = n.in[2]
	}
	return t.blockedConv(x, t.filters(weight), bias, windowOf(n, weight.dims[2:], x.dims[2:], out), out), nil
}

// filters are a weight [O, C, h, w] in the blocked layout, [O/16, C/16, h, w, 16 of C, 16 of O].
func (t *tape) filters(weight value) value {
	o, c, places := weight.dims[0], weight.dims[1], weight.dims[2]*weight.dims[3]
	blocks := t.reshape(t.intoBlocks(t.reshape(weight, 1, o, c*places, 1)), o/block, c/block, block, places, block)
	return t.reshape(t.transpose(blocks, 0, 1, 3, 2, 4), weight.dims...)
}

// turnedFilters are those of the weight that a convolution's gradient goes back through: turned around, from O channels to C.
func (t *tape) turnedFilters(weight value) value {
	o, c, h, w := weight.dims[0], weight.dims[1], weight.dims[2], weight.dims[3]
	blocks := t.transpose(t.reshape(t.intoBlocks(weight), o/block, block, c/block, h*w, block), 2, 0, 3, 1, 4)
	return t.reshape(t.flipped(t.reshape(blocks, c/block, o/block, h, w, block*block), 2, 3), c, o, h, w)
}

// blockedConv is Conv of x by filters [O, C, h, w] in the blocked layout and a bias, which may be absent, to [N, O, out…].
func (t *tape) blockedConv(x, filters, bias value, w window, out []int64) value {
	return t.outOfBlocks(t.convBlocks(t.intoBlocks(x), filters, bias, w, out))
}

const blockedDomain = "com.microsoft.nchwc."

// intoBlocks is x [N, C, H, W] in the blocked layout.
func (t *tape) intoBlocks(x value) value {
	return t.op(blockedDomain+"ReorderInput", x.kind, x.dims, []value{x})
}

// outOfBlocks is x in the plain layout again.
func (t *tape) outOfBlocks(x value) value {
	return t.op(blockedDomain+"ReorderOutput", x.kind, x.dims, []value{x}, intAttr("channels", x.dims[1]))
}

// convBlocks is Conv of x in the blocked layout, which its output has too.
func (t *tape) convBlocks(x, filters, bias value, w window, out []int64) value {
	inputs := []value{x, filters}
	if bias.ok() {
		inputs = append(inputs, bias)
	}
	return t.op(blockedDomain+"Conv", x.kind, append([]int64{x.dims[0], filters.dims[0]}, out...), inputs,
		intsAttr("kernel_shape", w.kernel...), intsAttr("strides", w.strides...), intsAttr("dilations", w.dilations...),
		intsAttr("pads", slices.Concat(w.before, w.after)...), intAttr("group", 1))
}

// CanBlock tries whether the runtime's blocked layout has blocks of 16 channels on this processor: a convolution in it equals
// the plain one.
func CanBlock(rt *onnx.Runtime) bool {
	t := newTape()
	t.blocked = true
	const n = 2 * block
	numbers := make([]float64, n*n*9)
	for i := range numbers {
		numbers[i] = float64(i*7919%97) / 97
	}
	x := t.add(t.floats(float32s, []int64{1, n, 3, 3}, numbers[:9*n]...), t.input("zero", float32s, 1)) // a graph needs an input
	weight := t.floats(float32s, []int64{n, n, 3, 3}, numbers...)
	w := window{kernel: []int64{3, 3}, strides: []int64{1, 1}, dilations: []int64{1, 1}, before: []int64{1, 1}, after: []int64{1, 1}}
	plain, blocked := t.conv(x, weight, w, 1, []int64{3, 3}), t.blockedConv(x, t.filters(weight), value{}, w, []int64{3, 3})
	worst := t.reduce("ReduceMax", t.reshape(t.unary("Abs", t.sub(plain, blocked)), 9*n), true, 0)
	t.output("worst", worst)
	traced, err := rt.Trace(t.model(), []string{"worst"}, func(string) bool { return true })
	return err == nil && reals(traced[0])[0] < 1e-3
}
