package autograd

import "slices"

// convWeightGrad is the gradient of the weights [O, C/group, kernel…] of a convolution from x [N, C, …] to d [N, O, …]. Which
// of the forms is fastest was measured on ONNX Runtime's kernels.
func (t *tape) convWeightGrad(x, d value, w window, group int64) value {
	const few = 16 // input channels, below which single products are too narrow
	switch channels := x.dims[1]; {
	case group > 1 && group == channels:
		return t.depthwiseWeightGrad(x, d, w)
	case group == 1 && w.whole():
		n, c, o, places := x.dims[0], channels, d.dims[1], product(d.dims[2:])
		each := t.matmul(t.reshape(d, n, o, places), t.swapped(t.reshape(x, n, c, places)))
		return t.reshape(t.sum(each, false, 0), append([]int64{o, c}, w.kernel...)...)
	case group == 1 && channels >= few:
		if f, ok := t.fits(x, d, w); ok {
			return t.blockedWeightGrad(x, d, w, f)
		}
		return t.offsetWeightGrad(x, d, w)
	}
	return t.columnWeightGrad(x, d, w, group)
}

// depthwiseWeightGrad convolves each channel of each sample by its gradient, whose strides become dilations and whose
// dilations strides.
func (t *tape) depthwiseWeightGrad(x, d value, w window) value {
	n, c, o := x.dims[0], x.dims[1], d.dims[1]
	places := x.dims[2:]
	correlate := window{kernel: d.dims[2:], strides: w.dilations, dilations: w.strides, before: w.before, after: w.after}
	out := make([]int64, len(places))
	for i, p := range places {
		out[i] = (p+w.before[i]+w.after[i]-correlate.reach(i))/w.dilations[i] + 1
	}
	flat := t.reshape(x, append([]int64{1, n * c}, places...)...)
	kernels := t.reshape(d, append([]int64{n * o, 1}, d.dims[2:]...)...)
	each := t.reshape(t.conv(flat, kernels, correlate, n*c, out), append([]int64{n, o}, out...)...)
	sum := t.sum(each, false, 0)
	axes, zeros := iota64(1 + len(out))[1:], make([]int64, len(out)) // rows beyond the kernel are of places that strides skip
	sum = t.slice(sum, axes, zeros, w.kernel, slices.Repeat([]int64{1}, len(out)))
	return t.reshape(sum, append([]int64{o, 1}, w.kernel...)...)
}

// offsetWeightGrad is one product over samples and places for each place in the kernel. It is of channels by rows, as the
// gradient lies in memory already, and rows by channels; the runtime divides few groups of samples among threads better than one
// long product.
func (t *tape) offsetWeightGrad(x, d value, w window) value {
	r := x.rank()
	last := append(append([]int64{0}, iota64(r)[2:]...), 1)
	axes := iota64(r - 1)[1:]
	n, c, o := x.dims[0], x.dims[1], d.dims[1]
	groups := int64(4)
	for n%groups != 0 {
		groups /= 2
	}
	rows := d.size() / o / groups
	places := product(d.dims[2:])
	gradient := t.reshape(t.transpose(t.reshape(d, groups, n/groups, o, places), 0, 2, 1, 3), groups, o, rows)
	seen := t.padded(t.transpose(x, last...), w, axes)
	var each []value
	for _, offset := range w.offsets() {
		s := t.reshape(t.seen(seen, w, offset, d.dims[2:], axes), groups, rows, c)
		each = append(each, t.reshape(t.matmul(gradient, s), 1, groups, o*c))
	}
	sums := t.sum(t.concat(0, each...), false, 1)
	return t.reshape(t.transpose(sums, 1, 0), append([]int64{o, c}, w.kernel...)...)
}

// columnWeightGrad is one product for each sample and group, of all places in the kernel at once (im2col, Chellapilla et al.
// 2006).
func (t *tape) columnWeightGrad(x, d value, w window, group int64) value {
	n, c, o := x.dims[0], x.dims[1]/group, d.dims[1]/group
	places := product(d.dims[2:])
	axes := iota64(x.rank())[2:]
	padded := t.padded(x, w, axes)
	var columns []value
	for _, offset := range w.offsets() {
		columns = append(columns, t.reshape(t.seen(padded, w, offset, d.dims[2:], axes), n, group, c, places))
	}
	each := t.matmul(t.reshape(d, n, group, o, places), t.swapped(t.concat(2, columns...)))
	kernel := product(w.kernel)
	sum := t.reshape(t.sum(each, false, 0), group, o, kernel, c)
	return t.reshape(t.transpose(sum, 0, 1, 3, 2), append([]int64{group * o, c}, w.kernel...)...)
}
