package autograd

import (
	"fmt"
	"math"
	"slices"
)

// The operators that gradients are made of. Each works out the shape of what it makes; shapes that do not fit are faults of
// the rule that asked, and panic.

func (b *builder) unary(operator string, x value) value {
	return b.op(operator, x.kind, x.dims, []value{x})
}

func (b *builder) binary(operator string, x, y value) value {
	return b.op(operator, x.kind, broadcast(x.dims, y.dims), []value{x, y})
}

func (b *builder) add(x, y value) value { return b.binary("Add", x, y) }
func (b *builder) sub(x, y value) value { return b.binary("Sub", x, y) }
func (b *builder) mul(x, y value) value { return b.binary("Mul", x, y) }
func (b *builder) div(x, y value) value { return b.binary("Div", x, y) }

// scale multiplies by a number.
func (b *builder) scale(x value, by float64) value {
	if by == 1 {
		return x
	}
	return b.mul(x, b.scalar(x.kind, by))
}

// shift adds a number.
func (b *builder) shift(x value, by float64) value { return b.add(x, b.scalar(x.kind, by)) }

// compare gives 1 where the comparison holds and 0 elsewhere, in the type of x: to multiply by it is faster than Where.
func (b *builder) compare(operator string, x, y value) value {
	return b.cast(b.op(operator, bools, broadcast(x.dims, y.dims), []value{x, y}), x.kind)
}

func (b *builder) cast(x value, to kind) value {
	if x.kind == to {
		return x
	}
	return b.op("Cast", to, x.dims, []value{x}, intAttr("to", int64(to)))
}

// broadcast is the shape of a multidirectional broadcast (ONNX's Broadcasting.md).
func broadcast(x, y []int64) []int64 {
	out := make([]int64, max(len(x), len(y)))
	for i := range out {
		dx, dy := int64(1), int64(1)
		if at := i - len(out) + len(x); at >= 0 {
			dx = x[at]
		}
		if at := i - len(out) + len(y); at >= 0 {
			dy = y[at]
		}
		if dx != dy && dx != 1 && dy != 1 {
			panic(fmt.Sprintf("autograd: %v and %v do not broadcast", x, y))
		}
		if out[i] = dx; dx == 1 {
			out[i] = dy
		}
	}
	return out
}

func (b *builder) reshape(x value, dims ...int64) value {
	if slices.Equal(x.dims, dims) {
		return x
	}
	if product(x.dims) != product(dims) {
		panic(fmt.Sprintf("autograd: %v cannot become %v", x.dims, dims))
	}
	return b.op("Reshape", x.kind, slices.Clone(dims), []value{x, b.ints(dims...)})
}

func (b *builder) transpose(x value, perm ...int64) value {
	dims := make([]int64, len(perm))
	same := true
	for i, p := range perm {
		dims[i] = x.dims[p]
		same = same && int64(i) == p
	}
	if same {
		return x
	}
	return b.op("Transpose", x.kind, dims, []value{x}, intsAttr("perm", perm...))
}

// swapped exchanges the last two dimensions.
func (b *builder) swapped(x value) value {
	perm := iota64(x.rank())
	perm[len(perm)-1], perm[len(perm)-2] = perm[len(perm)-2], perm[len(perm)-1]
	return b.transpose(x, perm...)
}

// iota64 counts from zero.
func iota64(n int) []int64 {
	out := make([]int64, n)
	for i := range out {
		out[i] = int64(i)
	}
	return out
}

// slice takes every step-th index of [start, end) of axes; the bounds are within the dimensions and the steps positive.
func (b *builder) slice(x value, axes, starts, ends, steps []int64) value {
	dims := slices.Clone(x.dims)
	whole := true
	for i, a := range axes {
		dims[a] = (ends[i] - starts[i] + steps[i] - 1) / steps[i]
		whole = whole && dims[a] == x.dims[a]
	}
	if whole {
		return x
	}
	return b.op("Slice", x.kind, dims, []value{x, b.ints(starts...), b.ints(ends...), b.ints(axes...), b.ints(steps...)})
}

// flipped turns x around along axes.
func (b *builder) flipped(x value, axes ...int64) value {
	each := func(n int64) value { return b.ints(slices.Repeat([]int64{n}, len(axes))...) }
	return b.op("Slice", x.kind, x.dims, []value{x, each(-1), each(math.MinInt64), b.ints(axes...), each(-1)})
}

// pad adds zeros; negative pads cut.
func (b *builder) pad(x value, before, after []int64) value {
	dims := slices.Clone(x.dims)
	for i := range dims {
		dims[i] += before[i] + after[i]
	}
	if slices.Equal(dims, x.dims) && !slices.ContainsFunc(before, func(n int64) bool { return n != 0 }) {
		return x
	}
	return b.op("Pad", x.kind, dims, []value{x, b.ints(slices.Concat(before, after)...)})
}

func (b *builder) concat(axis int, xs ...value) value {
	if len(xs) == 1 {
		return xs[0]
	}
	dims := slices.Clone(xs[0].dims)
	for _, x := range xs[1:] {
		dims[axis] += x.dims[axis]
	}
	return b.op("Concat", xs[0].kind, dims, xs, intAttr("axis", int64(axis)))
}

func (b *builder) expand(x value, dims ...int64) value {
	if slices.Equal(x.dims, dims) {
		return x
	}
	return b.op("Expand", x.kind, slices.Clone(dims), []value{x, b.ints(dims...)})
}

// matmul multiplies matrices; dimensions before the last two are broadcast.
func (b *builder) matmul(x, y value) value {
	r := x.rank()
	dims := broadcast(x.dims[:r-2], y.dims[:y.rank()-2])
	return b.op("MatMul", x.kind, append(dims, x.dims[r-2], y.dims[y.rank()-1]), []value{x, y})
}

// gemm is x·y of matrices, either transposed first.
func (b *builder) gemm(x, y value, transX, transY bool) value {
	rows, cols := x.dims[0], y.dims[1]
	if transX {
		rows = x.dims[1]
	}
	if transY {
		cols = y.dims[0]
	}
	return b.op("Gemm", x.kind, []int64{rows, cols}, []value{x, y}, intAttr("transA", truth(transX)), intAttr("transB", truth(transY)))
}

func truth(x bool) int64 {
	if x {
		return 1
	}
	return 0
}

// reduce takes axes, in rising order, away, or with keep makes them 1.
func (b *builder) reduce(operator string, x value, keep bool, axes ...int64) value {
	if len(axes) == 0 {
		return x
	}
	var dims []int64
	for i, d := range x.dims {
		switch gone := slices.Contains(axes, int64(i)); {
		case gone && keep:
			dims = append(dims, 1)
		case !gone:
			dims = append(dims, d)
		}
	}
	return b.op(operator, x.kind, dims, []value{x, b.ints(axes...)}, intAttr("keepdims", truth(keep)))
}

func (b *builder) sum(x value, keep bool, axes ...int64) value {
	return b.reduce("ReduceSum", x, keep, axes...)
}

func (b *builder) mean(x value, keep bool, axes ...int64) value {
	return b.reduce("ReduceMean", x, keep, axes...)
}

// total is the sum of all elements, of one dimension.
func (b *builder) total(x value) value {
	return b.sum(b.reshape(x, x.size()), true, 0)
}

// sumTo undoes a broadcast: it sums x to a shape that broadcasts to x's. Rows are summed first, which is the faster part.
func (b *builder) sumTo(x value, dims []int64) value {
	lead := x.rank() - len(dims)
	var axes []int64
	for i := range x.dims {
		if i < lead || dims[i-lead] == 1 && x.dims[i] > 1 {
			axes = append(axes, int64(i))
		}
	}
	tail := len(axes)
	for tail > 0 && axes[tail-1] == int64(x.rank()-(len(axes)-tail)-1) {
		tail--
	}
	if tail > 0 && tail < len(axes) { // the last axes make one row
		first := axes[tail]
		x = b.reshape(x, append(slices.Clone(x.dims[:first]), product(x.dims[first:]))...)
		x = b.sum(x, true, first)
		x = b.reshape(x, append(slices.Clone(x.dims[:first]), slices.Repeat([]int64{1}, len(axes)-tail)...)...)
		axes = axes[:tail]
	}
	return b.reshape(b.sum(x, true, axes...), dims...)
}
