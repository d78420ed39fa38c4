package autograd

import (
	"errors"
	"slices"

	"gleaner/connectors/onnx/onnxpb"
)

// maxPool has the runtime say where each maximum was; not of windows side by side, whose maxima are looked for in the backward pass: both
// together are faster.
func maxPool(t *tape, n node) (value, error) {
	if !t.needs(n.in[0]) {
		return value{}, nil
	}
	if x, w, ok := t.tiled(n); ok {
		return t.op("MaxPool", x.kind, n.out[0].dims, []value{x}, intsAttr("kernel_shape", w.kernel...), intsAttr("strides", w.strides...)), nil
	}
	return t.pooled(n)[0], nil
}

// tiled is what a pooling reads of its input, without what is left over at the end of each dimension, if its windows are side by side. The
// runtime enlarges float32 alone.
func (t *tape) tiled(n node) (x value, w window, ok bool) {
	if x = n.in[0]; x.kind != float32s {
		return x, w, false
	}
	places, out := x.dims[2:], n.out[0].dims[2:]
	w = windowOf(n, n.ints("kernel_shape", 0, 0), places, out)
	read := make([]int64, len(out))
	for i, o := range out {
		read[i] = o * w.kernel[i]
		if read[i] > places[i] {
			return x, w, false
		}
	}
	if !w.tiles(read, out) {
		return x, w, false
	}
	r := len(out)
	return t.slice(x, iota64(2 + r)[2:], make([]int64, r), read, slices.Repeat([]int64{1}, r)), w, true
}

// pooled is the node with the index of each maximum in the flat input, in row-major order.
func (t *tape) pooled(n node) []value {
	attributes := slices.DeleteFunc(slices.Clone(n.GetAttribute()), func(a *onnxpb.AttributeProto) bool { return a.GetName() == "storage_order" })
	return t.emit("MaxPool", []value{{kind: n.in[0].kind, dims: n.out[0].dims}, {kind: int64s, dims: n.out[0].dims}}, n.in[:1], attributes...)
}

// maxPoolGrad gives the gradient of a maximum to its element; in equal shares to all that are it, where windows are side by side.
func maxPoolGrad(t *tape, n node, dy []value) ([]value, error) {
	x, d := n.in[0], dy[0]
	if read, w, ok := t.tiled(n); ok {
		hit := t.compare("Equal", read, t.enlarged(n.out[0], w.kernel))
		dx := t.mul(hit, t.enlarged(t.div(d, t.tileSums(hit, w.kernel, 1)), w.kernel))
		after := make([]int64, x.rank())
		for i := range after {
			after[i] = x.dims[i] - dx.dims[i]
		}
		return []value{t.pad(dx, make([]int64, x.rank()), after)}, nil
	}
	zeros := t.expand(t.floats(x.kind, []int64{1}, 0), x.size())
	index := t.reshape(t.pooled(n)[1], d.size())
	sums := t.op("ScatterElements", x.kind, zeros.dims, []value{zeros, index, t.reshape(d, d.size())}, textAttr("reduction", "add"))
	return []value{t.reshape(sums, x.dims...)}, nil
}

// averagePool has tileSums where windows are side by side.
func averagePool(t *tape, n node) (value, error) {
	x, out := n.in[0], n.out[0]
	w := windowOf(n, n.ints("kernel_shape", 0, 0), x.dims[2:], out.dims[2:])
	if x.kind != float32s || !w.tiles(x.dims[2:], out.dims[2:]) {
		return value{}, nil
	}
	return t.tileSums(x, w.kernel, product(w.kernel)), nil
}

// tileSums are the sums over tiles of this size of the spatial dimensions of x, divided by a number. In two dimensions that is a product
// with a matrix, where this is small, which is faster than the runtime's pooling.
func (b *builder) tileSums(x value, tile []int64, by int64) value {
	const long = 128 // elements of a row of tiles
	dims := slices.Clone(x.dims)
	for i, k := range tile {
		dims[2+i] /= k
	}
	if x.rank() != 4 || tile[0]*x.dims[3] > long {
		means := b.op("AveragePool", x.kind, dims, []value{x}, intsAttr("kernel_shape", tile...), intsAttr("strides", tile...))
		return b.scale(means, float64(product(tile))/float64(by))
	}
	high, wide, width, tiles := tile[0], tile[1], x.dims[3], dims[3]
	shares := make([]float64, high*width*tiles)
	for i := range high * width {
		shares[i*tiles+i%width/wide] = 1 / float64(by)
	}
	rows := b.reshape(x, x.size()/high/width, high*width)
	return b.reshape(b.matmul(rows, b.floats(x.kind, []int64{high * width, tiles}, shares...)), dims...)
}

func averagePoolGrad(t *tape, n node, dy []value) ([]value, error) {
	x, d := n.in[0], dy[0]
	places, out := x.dims[2:], d.dims[2:]
	w := windowOf(n, n.ints("kernel_shape", 0, 0), places, out)
	if n.int("ceil_mode", 0) != 0 {
		for i := range out {
			if (places[i]+w.before[i]+w.after[i]-w.reach(i))/w.strides[i]+1 != out[i] {
				return nil, errors.New("windows beyond the pads (ceil_mode) are not supported")
			}
		}
	}
	count := w.counts(places, out, n.int("count_include_pad", 0) != 0)
	share := t.mul(d, t.floats(d.kind, append([]int64{1, 1}, out...), count...))
	if w.tiles(places, out) {
		return []value{t.enlarged(share, w.kernel)}, nil
	}
	planes := x.dims[0] * x.dims[1]
	ones := t.floats(d.kind, append([]int64{1, 1}, w.kernel...), slices.Repeat([]float64{1}, int(product(w.kernel)))...)
	back := t.back(t.reshape(share, append([]int64{planes, 1}, out...)...), ones, w, 1, places)
	return []value{t.reshape(back, x.dims...)}, nil
}

// counts are one over the number of elements that each window averages.
func (w window) counts(places, out []int64, pads bool) []float64 {
	count := []float64{1}
	for i, o := range out {
		var longer []float64
		for _, c := range count {
			for j := range o {
				n := int64(0)
				for k := range w.kernel[i] {
					if at := j*w.strides[i] - w.before[i] + k*w.dilations[i]; pads || at >= 0 && at < places[i] {
						n++
					}
				}
				longer = append(longer, c/float64(n))
			}
		}
		count = longer
	}
	return count
}

// tiles tells whether windows neither overlap nor leave anything out.
func (w window) tiles(places, out []int64) bool {
	for i := range places {
		if w.kernel[i] != w.strides[i] || w.dilations[i] != 1 || w.before[i] != 0 || out[i]*w.kernel[i] != places[i] {
			return false
		}
	}
	return true
}

// enlarged repeats each element of the spatial dimensions of x.
func (b *builder) enlarged(x value, by []int64) value {
	dims, factors := slices.Clone(x.dims), []float64{1, 1}
	for i, f := range by {
		dims[2+i] *= f
		factors = append(factors, float64(f))
	}
	return b.op("Resize", x.kind, dims, []value{x, {}, b.floats(float32s, []int64{int64(len(factors))}, factors...)},
		textAttr("mode", "nearest"), textAttr("coordinate_transformation_mode", "asymmetric"), textAttr("nearest_mode", "floor"))
}

func globalAverageGrad(t *tape, n node, dy []value) ([]value, error) {
	x := n.in[0]
	return []value{t.expand(t.scale(dy[0], 1/float64(product(x.dims[2:]))), x.dims...)}, nil
}

func globalMaxGrad(t *tape, n node, dy []value) ([]value, error) {
	return []value{t.shared(n.in[0], n.out[0], dy[0], iota64(n.in[0].rank())[2:])}, nil
}

// shared gives the gradient of an extreme over axes in equal shares to the elements that are it.
func (t *tape) shared(x, y, d value, axes []int64) value {
	hit := t.compare("Equal", x, y)
	return t.mul(hit, t.div(d, t.sum(hit, true, axes...)))
}
