package autograd

// blockedWeightGrad is convWeightGrad of x [N, C, H, W] and d [N, O, h, w] in the blocked layout, where O comes by blocks: one convolution
// for each column of the kernel, from [1, K, H, C] to [1, O, rows of the kernel, C]. Its K channels, which it sums over, are samples and
// columns of x; its own kernel is d, whose rows slide over those of x; its columns are the channels of x. So its tiles are full, whatever
// the size of the maps.
func (t *tape) blockedWeightGrad(x, d value, w window, f fit) value {
	c, high, o := x.dims[1], x.dims[2]*f.parts, d.dims[1]
	slide := window{
		kernel: []int64{d.dims[2] * f.parts, 1}, strides: []int64{w.dilations[0] * f.parts, 1}, dilations: []int64{w.strides[0], 1},
		before: []int64{w.before[0] * f.parts, 0}, after: []int64{w.after[0] * f.parts, 0},
	}
	rows := (high+slide.before[0]+slide.after[0]-slide.reach(0))/slide.strides[0] + 1
	gradient := t.gradientRows(d, f)
	var each []value
	for k := range w.kernel[1] {
		phase, shift := w.column(k)
		seen := t.channelColumns(t.slice(x, []int64{3}, []int64{phase}, []int64{x.dims[3]}, []int64{w.strides[1]}), f)
		filters := t.pad(gradient, []int64{0, 0, 0, 0, shift * block}, []int64{0, 0, 0, 0, (f.columns - d.dims[3] - shift) * block})
		sum := t.convBlocks(seen, t.reshape(filters, o, f.groups*block, slide.kernel[0], 1), value{}, slide, []int64{rows, c})
		each = append(each, t.reshape(sum, 1, o/block, rows, c, block))
	}
	sums := t.span(t.concat(0, each...), 2, 0, w.kernel[0]) // rows beyond the kernel are of places that strides skip
	sums = t.reshape(t.transpose(sums, 1, 3, 2, 0, 4), 1, o, c*w.kernel[0], w.kernel[1])
	return t.reshape(t.outOfBlocks(sums), o, c, w.kernel[0], w.kernel[1])
}

// column is what the first place of a row sees through column k of the kernel: of every so many columns of the input, beginning with
// phase, the one after shift of them.
func (w window) column(k int64) (phase, shift int64) {
	at, stride := k*w.dilations[1]-w.before[1], w.strides[1]
	phase = (at%stride + stride) % stride
	return phase, (at - phase) / stride
}

// fit is how samples and columns of maps fill blocks of channels: one has the same columns of a group of samples, or of one sample a part
// of a row.
type fit struct {
	columns int64 // of maps, with those of zeros that fill blocks
	group   int64 // samples of a block
	groups  int64 // of samples, the last of which is filled with zeros
	parts   int64 // of a row, which are rows of the convolution
}

// fits tells how blockedWeightGrad lays out its maps, and whether it can and is the faster form: where rows are in parts it knows no
// strides, every column of the kernel has to see something, and zeros cost as much as other numbers.
func (t *tape) fits(x, d value, w window) (f fit, ok bool) {
	if !t.blocked || x.rank() != 4 || d.dims[1]%block != 0 {
		return f, false
	}
	columns := (x.dims[3] + w.strides[1] - 1) / w.strides[1]
	wide := int64(1)
	for wide < min(columns, block) {
		wide *= 2
	}
	f = fit{group: block / wide, parts: (columns + wide - 1) / wide}
	f.columns, f.groups = f.parts*wide, (x.dims[0]+f.group-1)/f.group
	for k := range w.kernel[1] {
		if phase, shift := w.column(k); phase >= x.dims[3] || shift <= -d.dims[3] || shift >= columns {
			return f, false
		}
	}
	return f, (f.parts == 1 || w.strides[0] == 1) && 4*(f.columns-columns) <= f.columns
}

// channelColumns are maps x [N, C, H, W] as [1, K, H, C], in blocks.
func (t *tape) channelColumns(x value, f fit) value {
	c, high := x.dims[1], x.dims[2]
	x = t.pad(x, make([]int64, 4), []int64{f.groups*f.group - x.dims[0], 0, 0, f.columns - x.dims[3]})
	x = t.transpose(t.reshape(x, f.groups, f.group, c, high*f.parts, f.columns/f.parts), 0, 3, 2, 1, 4)
	return t.reshape(x, 1, f.groups*block, high*f.parts, c)
}

// gradientRows are d [N, O, h, w] as [O/16, groups, h, samples of a group, w·16], of which the last 16 are channels.
func (t *tape) gradientRows(d value, f fit) value {
	n, o, rows, columns := d.dims[0], d.dims[1], d.dims[2], d.dims[3]
	maps := t.pad(t.reshape(t.intoBlocks(d), n, o/block, rows, columns*block), make([]int64, 4), []int64{f.groups*f.group - n, 0, 0, 0})
	return t.transpose(t.reshape(maps, f.groups, f.group, o/block, rows, columns*block), 2, 0, 3, 1, 4)
}
