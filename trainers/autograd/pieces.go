package autograd

import (
	"errors"
	"fmt"
	"slices"

	"gleaner/connectors/onnx"
)

// Operators that join, cut and pick elements.

// span is [from, to) along one axis.
func (b *builder) span(x value, axis int, from, to int64) value {
	return b.slice(x, []int64{int64(axis)}, []int64{from}, []int64{to}, []int64{1})
}

func concatGrad(t *tape, n node, dy []value) ([]value, error) {
	axis := n.axis(0, n.out[0].rank())
	dx := make([]value, len(n.in))
	at := int64(0)
	for i, x := range n.in {
		if t.needs(x) {
			dx[i] = t.span(dy[0], axis, at, at+x.dims[axis])
		}
		at += x.dims[axis]
	}
	return dx, nil
}

func splitGrad(t *tape, n node, dy []value) ([]value, error) {
	axis := n.axis(0, n.in[0].rank())
	parts := slices.Clone(dy)
	for i, part := range parts {
		if !part.ok() {
			out := n.out[i]
			parts[i] = t.expand(t.scalar(n.in[0].kind, 0), out.dims...)
		}
	}
	return []value{t.concat(axis, parts...)}, nil
}

// sliceGrad puts the gradient where its elements came from: zeros between them where the slice steps, and around.
func sliceGrad(t *tape, n node, dy []value) ([]value, error) {
	x, d := n.in[0], dy[0]
	starts, err := t.fixed(n, 1)
	if err != nil {
		return nil, err
	}
	axes, steps := iota64(len(starts)), slices.Repeat([]int64{1}, len(starts))
	if n.given(3) {
		if axes, err = t.fixed(n, 3); err != nil {
			return nil, err
		}
	}
	if n.given(4) {
		if steps, err = t.fixed(n, 4); err != nil {
			return nil, err
		}
	}
	before, after := make([]int64, x.rank()), make([]int64, x.rank())
	for i, a := range axes {
		if a < 0 {
			a += int64(x.rank())
		}
		size, start, step := x.dims[a], starts[i], steps[i]
		if start < 0 {
			start += size
		}
		if step < 0 { // turned around, it is a slice forwards
			start = min(max(start, 0), size-1)
			start += (d.dims[a] - 1) * step
			d, step = t.flipped(d, a), -step
		}
		start = min(max(start, 0), size)
		d = t.stretched(d, int(a), step)
		before[a], after[a] = start, size-start-d.dims[a]
	}
	return []value{t.pad(d, before, after)}, nil
}

// stretched puts step-1 zeros between the elements of an axis.
func (b *builder) stretched(x value, axis int, step int64) value {
	if step == 1 || x.dims[axis] == 1 {
		return x
	}
	apart := slices.Insert(slices.Clone(x.dims), axis+1, 1)
	after := make([]int64, len(apart))
	after[axis+1] = step - 1
	wide := b.pad(b.reshape(x, apart...), make([]int64, len(apart)), after)
	merged := slices.Clone(x.dims)
	merged[axis] *= step
	return b.span(b.reshape(wide, merged...), axis, 0, (x.dims[axis]-1)*step+1)
}

// padGrad cuts what constant pads added; other modes repeat elements.
func padGrad(t *tape, n node, dy []value) ([]value, error) {
	x := n.in[0]
	if mode := n.text("mode", "constant"); mode != "constant" {
		return nil, fmt.Errorf("mode %s is not supported, only constant", mode)
	}
	pads, err := t.fixed(n, 1)
	if err != nil {
		return nil, err
	}
	axes := iota64(x.rank())
	if n.given(3) {
		if axes, err = t.fixed(n, 3); err != nil {
			return nil, err
		}
	}
	before, after := make([]int64, x.rank()), make([]int64, x.rank())
	for i, a := range axes {
		if a < 0 {
			a += int64(x.rank())
		}
		before[a], after[a] = -pads[i], -pads[len(axes)+i]
	}
	return []value{t.pad(dy[0], before, after)}, nil
}

// gatherGrad adds each slice of the gradient to the place that it was picked from. Of constant indices that are all different and
// in order, as of a range or every other channel, it is a slice's gradient.
func gatherGrad(t *tape, n node, dy []value) ([]value, error) {
	x, index := n.in[0], n.in[1]
	if index.kind != int64s && index.kind != int32s {
		return nil, errors.New("indices of another type than int64 and int32")
	}
	axis := n.axis(0, x.rank())
	lead, size, tail := product(x.dims[:axis]), x.dims[axis], product(x.dims[axis+1:])
	d := t.reshape(dy[0], lead, index.size(), tail)
	if c, ok := t.constants[index.name]; ok && index.kind == int64s {
		if first, step, ok := progression(onnx.Integers(c), size); ok {
			d = t.stretched(d, 1, step)
			d = t.pad(d, []int64{0, first, 0}, []int64{0, size - first - d.dims[1], 0})
			return []value{t.reshape(d, x.dims...)}, nil
		}
	}
	where := t.expand(t.reshape(t.cast(index, int64s), 1, index.size(), 1), d.dims...)
	zeros := t.expand(t.scalar(x.kind, 0), lead, size, tail)
	sums := t.op("ScatterElements", x.kind, zeros.dims, []value{zeros, where, d}, intAttr("axis", 1), textAttr("reduction", "add"))
	return []value{t.reshape(sums, x.dims...)}, nil
}

// progression tells whether indices rise by equal steps.
func progression(index []int64, size int64) (first, step int64, ok bool) {
	if len(index) == 0 || len(index) > 1 && index[0] < 0 != (index[len(index)-1] < 0) {
		return 0, 0, false
	}
	step = 1
	if len(index) > 1 {
		step = index[1] - index[0]
	}
	for i := 1; i < len(index); i++ {
		if index[i]-index[i-1] != step {
			return 0, 0, false
		}
	}
	if first = index[0]; first < 0 {
		first += size
	}
	return first, step, step > 0
}
