package autograd

import "slices"

// window is how a kernel moves over the spatial dimensions of [N, C, d1, d2, …]: one element each.
type window struct {
	kernel, strides, dilations, before, after []int64
}

// windowOf reads the attributes of a convolution or a pooling from in to out, both without N and C, of the kernel's size.
func windowOf(n node, kernel, in, out []int64) window {
	r := len(kernel)
	w := window{kernel: kernel, strides: n.ints("strides", r, 1), dilations: n.ints("dilations", r, 1)}
	pads := n.ints("pads", 2*r, 0)
	w.before, w.after = slices.Clone(pads[:r]), slices.Clone(pads[r:])
	switch auto := n.text("auto_pad", "NOTSET"); auto {
	case "SAME_UPPER", "SAME_LOWER":
		for i := range kernel {
			total := max((out[i]-1)*w.strides[i]+w.reach(i)-in[i], 0)
			if w.before[i] = total / 2; auto == "SAME_LOWER" {
				w.before[i] = total - total/2
			}
			w.after[i] = total - w.before[i]
		}
	case "VALID":
		w.before, w.after = make([]int64, r), make([]int64, r)
	}
	return w
}

// reach is how far the dilated kernel extends along a dimension.
func (w window) reach(i int) int64 { return (w.kernel[i]-1)*w.dilations[i] + 1 }

// whole tells whether every window is one element, and all are read.
func (w window) whole() bool {
	other := func(of int64) func(int64) bool { return func(x int64) bool { return x != of } }
	return !slices.ContainsFunc(w.kernel, other(1)) && !slices.ContainsFunc(w.strides, other(1)) &&
		!slices.ContainsFunc(w.before, other(0)) && !slices.ContainsFunc(w.after, other(0))
}

// offsets are the places within the kernel, the last dimension first to change.
func (w window) offsets() [][]int64 {
	out := [][]int64{{}}
	for _, k := range w.kernel {
		var longer [][]int64
		for _, o := range out {
			for i := range k {
				longer = append(longer, append(slices.Clone(o), i))
			}
		}
		out = longer
	}
	return out
}

// seen takes of x, padded already, what the windows see at one offset; axes are the spatial ones.
func (b *builder) seen(x value, w window, offset, out, axes []int64) value {
	starts, ends := make([]int64, len(out)), make([]int64, len(out))
	for i, o := range offset {
		starts[i] = o * w.dilations[i]
		ends[i] = starts[i] + (out[i]-1)*w.strides[i] + 1
	}
	return b.slice(x, axes, starts, ends, w.strides)
}

// padded pads the spatial axes.
func (b *builder) padded(x value, w window, axes []int64) value {
	before, after := make([]int64, x.rank()), make([]int64, x.rank())
	for i, a := range axes {
		before[a], after[a] = w.before[i], w.after[i]
	}
	return b.pad(x, before, after)
}

// back is ConvTranspose: it sends dy [N, O, …] through w [O, C/group, …] back to [N, C, dims…], what Conv with that window
// reads.
func (b *builder) back(dy, weight value, w window, group int64, dims []int64) value {
	extra := make([]int64, len(dims))
	for i, d := range dims {
		extra[i] = d - ((dy.dims[2+i]-1)*w.strides[i] + w.reach(i) - w.before[i] - w.after[i])
	}
	channels := weight.dims[1] * group
	return b.op("ConvTranspose", dy.kind, append([]int64{dy.dims[0], channels}, dims...), []value{dy, weight},
		intsAttr("kernel_shape", w.kernel...), intsAttr("strides", w.strides...), intsAttr("dilations", w.dilations...),
		intsAttr("pads", slices.Concat(w.before, w.after)...), intsAttr("output_padding", extra...), intAttr("group", group))
}

// conv is Conv of x [N, C, …] by weight [O, C/group, …] to [N, O, out…].
func (b *builder) conv(x, weight value, w window, group int64, out []int64) value {
	return b.op("Conv", x.kind, append([]int64{x.dims[0], weight.dims[0]}, out...), []value{x, weight},
		intsAttr("kernel_shape", w.kernel...), intsAttr("strides", w.strides...), intsAttr("dilations", w.dilations...),
		intsAttr("pads", slices.Concat(w.before, w.after)...), intAttr("group", group))
}
