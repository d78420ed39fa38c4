package pixels

// Resizing: bilinear as detectors were trained with, and area averaging for thumbnails and measurements.

import "math"

// Bilinear resizes to w x h with half-pixel centers and clamped borders, as OpenCV's INTER_LINEAR does: the two nearest
// pixels along each axis, no smoothing when it shrinks. The arithmetic is OpenCV's for 8 bits, with 11-bit weights in
// fixed point: results agree with OpenCV's but for one step of 255 at about one value in a thousand, where its vector
// code rounds otherwise, and with exact real arithmetic within one step.
func Bilinear(src *Image, w, h int) *Image {
	dst := newImage(w, h)
	if src.W == w && src.H == h {
		copy(dst.Pix, src.Pix)
		return dst
	}
	xs, ys := taps(src.W, w), taps(src.H, h)
	// Two horizontally resized source rows, known by the row they came from.
	rows := [2][]int32{make([]int32, 3*w), make([]int32, 3*w)}
	have := [2]int{-1, -1}
	for y, t := range ys {
		if have[0] != t.at && have[1] == t.at {
			rows[0], rows[1] = rows[1], rows[0]
			have[0], have[1] = have[1], have[0]
		}
		if have[0] != t.at {
			horizontal(rows[0], src.Pix[3*src.W*t.at:][:3*src.W], xs)
			have[0] = t.at
		}
		if have[1] != t.next {
			horizontal(rows[1], src.Pix[3*src.W*t.next:][:3*src.W], xs)
			have[1] = t.next
		}
		out := dst.Pix[3*w*y:][:3*w]
		top, bottom := rows[0][:len(out)], rows[1][:len(out)]
		for i := range out {
			out[i] = uint8(((t.w0*(top[i]>>4))>>16 + (t.w1*(bottom[i]>>4))>>16 + 2) >> 2)
		}
	}
	return dst
}

// tap is where one output pixel looks along an axis; w0 + w1 == 2048.
type tap struct {
	at, next int
	w0, w1   int32
}

func taps(from, to int) []tap {
	const one = 2048
	scale := 1 / (float64(to) / float64(from))
	ts := make([]tap, to)
	for i := range ts {
		f := float32((float64(i)+0.5)*scale - 0.5)
		at := int(math.Floor(float64(f)))
		f -= float32(at)
		if at < 0 {
			at, f = 0, 0
		}
		if at >= from-1 {
			at, f = from-1, 0
		}
		w1 := int32(math.RoundToEven(float64(f * one)))
		ts[i] = tap{at: at, next: min(at+1, from-1), w0: one - w1, w1: w1}
	}
	return ts
}

func horizontal(dst []int32, src []uint8, xs []tap) {
	for x, t := range xs {
		a, b, d := src[3*t.at:3*t.at+3], src[3*t.next:3*t.next+3], dst[3*x:3*x+3]
		d[0] = int32(a[0])*t.w0 + int32(b[0])*t.w1
		d[1] = int32(a[1])*t.w0 + int32(b[1])*t.w1
		d[2] = int32(a[2])*t.w0 + int32(b[2])*t.w1
	}
}

// Area resizes to w x h by averaging the source area that each output pixel covers, as OpenCV's INTER_AREA does when it
// shrinks: for thumbnails. Where it grows, pixels repeat.
func Area(src *Image, w, h int) *Image {
	return &Image{W: w, H: h, Pix: area(src.Pix, src.W, src.H, 3, w, h)}
}

// Area is Area for a plane.
func (p *Plane) Area(w, h int) *Plane {
	return &Plane{W: w, H: h, Pix: area(p.Pix, p.W, p.H, 1, w, h)}
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

func area(src []uint8, sw, sh, ch, w, h int) []uint8 {
	dst := make([]uint8, w*h*ch)
	xs, ys := spans(sw, w), spans(sh, h)
	sum, row := make([]float32, w*ch), make([]float32, w*ch)
	for y, sy := range ys {
		clear(sum)
		for i := range sy.n {
			averageRow(row, src[(sy.at+i)*sw*ch:][:sw*ch], xs, ch)
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

func averageRow(dst []float32, src []uint8, xs []span, ch int) {
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
