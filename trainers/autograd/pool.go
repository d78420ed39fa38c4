package autograd

import (
	"errors"
	"slices"

	"gleaner/connectors/onnx/onnxpb"
)

// maxPool has the runtime say where each maximum was.
func maxPool(t *tape, n node) (value, error) {
	if !t.needs(n.in[0]) {
		return value{}, nil
	}
	return t.pooled(n)[0], nil
}

// pooled is the node with the index of each maximum in the flat input, in row-major order.
func (t *tape) pooled(n node) []value {
	attributes := slices.DeleteFunc(slices.Clone(n.GetAttribute()), func(a *onnxpb.AttributeProto) bool { return a.GetName() == "storage_order" })
	return t.emit("MaxPool", []value{{kind: n.in[0].kind, dims: n.out[0].dims}, {kind: int64s, dims: n.out[0].dims}}, n.in[:1], attributes...)
}

func maxPoolGrad(t *tape, n node, dy []value) ([]value, error) {
	x := n.in[0]
	w := windowOf(n, n.ints("kernel_shape", 0, 0), x.dims[2:], n.out[0].dims[2:])
	if w.apart(x.dims[2:], n.out[0].dims[2:]) && x.kind == float32s { // no element is twice the maximum, so there is nothing to add up
		return []value{t.op("MaxUnpool", x.kind, x.dims, []value{dy[0], t.pooled(n)[1], t.ints(x.dims...)}, intsAttr("kernel_shape", w.kernel...), intsAttr("strides", w.strides...))}, nil
	}
	zeros := t.expand(t.floats(x.kind, []int64{1}, 0), x.size())
	index := t.reshape(t.pooled(n)[1], dy[0].size())
	sums := t.op("ScatterElements", x.kind, zeros.dims, []value{zeros, index, t.reshape(dy[0], dy[0].size())}, textAttr("reduction", "add"))
	return []value{t.reshape(sums, x.dims...)}, nil
}

// averagePool of tiles of two dimensions is a product with a matrix that has the shares of the elements, where that is small: which is
// faster than the runtime's pooling.
func averagePool(t *tape, n node) (value, error) {
	const long = 128 // elements of a row of tiles
	x, out := n.in[0], n.out[0]
	if x.rank() != 4 || x.kind != float32s {
		return value{}, nil
	}
	w := windowOf(n, n.ints("kernel_shape", 0, 0), x.dims[2:], out.dims[2:])
	high, wide := w.kernel[0], w.kernel[1]
	width := x.dims[3]
	if !w.tiles(x.dims[2:], out.dims[2:]) || high*width > long {
		return value{}, nil
	}
	shares := make([]float64, high*width*(width/wide))
	for i := range high * width {
		shares[i*(width/wide)+i%width/wide] = 1 / float64(high*wide)
	}
	rows := t.reshape(x, x.size()/high/width, high*width)
	return t.reshape(t.matmul(rows, t.floats(x.kind, []int64{high * width, width / wide}, shares...)), out.dims...), nil
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

// apart tells whether windows do not overlap and none reaches beyond places, which the runtime's MaxUnpool refuses.
func (w window) apart(places, out []int64) bool {
	for i, k := range w.kernel {
		if k > w.strides[i] || w.dilations[i] != 1 || w.before[i] != 0 || w.after[i] != 0 || (out[i]-1)*w.strides[i]+k > places[i] {
			return false
		}
	}
	return true
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
