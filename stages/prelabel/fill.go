package prelabel

import (
	"encoding/binary"

	"gleaner/stages/pixels"
)

// fill resizes img to w by h pixels into the top left corner of the input tensor dst, [3, dstH, dstW] in the order blue,
// green, red, multiplies by gain, and writes pad (which gain does not touch) around it. Resizing is bilinear between pixel
// centers with the border repeated, like OpenCV's INTER_LINEAR but without rounding to whole levels.
//
// It goes through the source once: each source row that is needed is resized sideways once, all three channels in one
// 64-bit word, and two such rows make an output row.
func fill(dst []float32, dstW, dstH int, img *pixels.Image, w, h int, gain, pad float32) {
	xs := taps(w, img.W)
	ys := taps(h, img.H)
	upper, lower := make([]float32, 3*w), make([]float32, 3*w)
	upperY, lowerY := -1, -1
	plane := dstW * dstH
	for y := range h {
		t := ys[y]
		if t.a == lowerY {
			upper, lower, upperY, lowerY = lower, upper, lowerY, upperY
		}
		if t.a != upperY {
			sideways(upper, img, t.a, xs)
			upperY = t.a
		}
		if t.b != lowerY {
			sideways(lower, img, t.b, xs)
			lowerY = t.b
		}
		wb := float32(t.weight) * gain / (one * one)
		wa := gain/one - wb
		for c := range 3 {
			row := dst[c*plane+y*dstW:][:dstW]
			up, low := upper[c*w:][:w], lower[c*w:][:w]
			out := row[:w]
			for x := range out {
				out[x] = up[x]*wa + low[x]*wb
			}
			set(row[w:], pad)
		}
	}
	for c := range 3 {
		set(dst[c*plane+h*dstW:(c+1)*plane], pad)
	}
}

// one is the fixed-point unit of weights: a level of 8 bits times it fits the 21 bits that a channel has in a word.
const one = 1 << 11

// tap says that an output pixel is (one-weight) parts of source pixel a and weight parts of b.
type tap struct {
	a, b   int
	weight uint64
}

// taps places n output pixels over size source pixels.
func taps(n, size int) []tap {
	out := make([]tap, n)
	step := float64(size) / float64(n)
	for i := range out {
		at := min(max((float64(i)+0.5)*step-0.5, 0), float64(size-1))
		a := int(at)
		out[i] = tap{a, min(a+1, size-1), uint64((at-float64(a))*one + 0.5)}
	}
	return out
}

// sideways resizes row y of img into dst, [3, len(xs)] blue, green, red, in units of one.
func sideways(dst []float32, img *pixels.Image, y int, xs []tap) {
	n := len(xs)
	blue, green, red := dst[:n], dst[n:][:n], dst[2*n:][:n]
	row := img.Pix[3*img.W*y : 3*img.W*(y+1)]
	for i, t := range xs {
		p := spread(row, 3*t.a)*(one-t.weight) + spread(row, 3*t.b)*t.weight
		red[i] = float32(int32(p & (1<<21 - 1)))
		green[i] = float32(int32(p >> 21 & (1<<21 - 1)))
		blue[i] = float32(int32(p >> 42))
	}
}

// spread reads the pixel at offset at of row and sets its three bytes 21 bits apart.
func spread(row []uint8, at int) uint64 {
	var v uint64
	if at+4 <= len(row) {
		v = uint64(binary.LittleEndian.Uint32(row[at:]))
	} else {
		v = uint64(row[at]) | uint64(row[at+1])<<8 | uint64(row[at+2])<<16
	}
	return v&0xff | v&0xff00<<13 | v&0xff0000<<26
}

func set(s []float32, v float32) {
	for i := range s {
		s[i] = v
	}
}
