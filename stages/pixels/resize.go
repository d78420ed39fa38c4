package pixels

// Resizing by area averaging, for thumbnails and measurements; detectors have their own way to fill their inputs.

// Area resizes to w x h by averaging the source area that each output pixel covers, as OpenCV's INTER_AREA does when it
// shrinks: for thumbnails. Where it grows, pixels repeat.
func Area(src *Image, w, h int) *Image {
	return &Image{W: w, H: h, Pix: area(src.Pix, src.W, src.H, w, h)}
}

// span is the run of source pixels under one output pixel, at..at+n-1, with weights that sum to 1: first and last of the
// ends, which it covers in part, and inner of those between.
type span struct {
	at, n              int
	first, inner, last float32
}

func spans(from, to int) []span {
	ss := make([]span, to)
	for i := range ss {
		// Exact in integers: the borders are i*from/to and (i+1)*from/to, and all lengths are in units of 1/to.
		lo, hi := i*from, (i+1)*from
		at, end := lo/to, (hi+to-1)/to
		s := span{at: at, n: end - at, first: 1}
		if s.n > 1 {
			length := float32(from)
			s.first = float32((at+1)*to-lo) / length
			s.inner = float32(to) / length
			s.last = float32(hi-(end-1)*to) / length
		}
		ss[i] = s
	}
	return ss
}

func (s span) weight(i int) float32 {
	switch i {
	case 0:
		return s.first
	case s.n - 1:
		return s.last
	}
	return s.inner
}

func area(src []uint8, sw, sh, w, h int) []uint8 {
	const ch = 3
	dst := make([]uint8, w*h*ch)
	xs, ys := spans(sw, w), spans(sh, h)
	sum, row := make([]float32, w*ch), make([]float32, w*ch)
	for y, sy := range ys {
		clear(sum)
		for i := range sy.n {
			averageRow(row, src[(sy.at+i)*sw*ch:][:sw*ch], xs)
			weight := sy.weight(i)
			for j, v := range row {
				sum[j] += weight * v
			}
		}
		out := dst[y*w*ch:][:w*ch]
		for j, v := range sum {
			out[j] = uint8(v + 0.5)
		}
	}
	return dst
}

func averageRow(dst []float32, src []uint8, xs []span) {
	const ch = 3
	for x, s := range xs {
		for c := range ch {
			px := src[s.at*ch+c : (s.at+s.n-1)*ch+c+1]
			v := s.first*float32(px[0]) + s.last*float32(px[len(px)-1])
			if s.n > 2 {
				var inner uint32
				for i := ch; i < len(px)-1; i += ch {
					inner += uint32(px[i])
				}
				v += s.inner * float32(inner)
			}
			dst[x*ch+c] = v
		}
	}
}
