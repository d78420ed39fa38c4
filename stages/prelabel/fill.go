package prelabel

import (
	"encoding/binary"

	"gleaner/stages/pixels"
	"gleaner/stages/pixels/rows"
)

// fill resizes img to w by h pixels into the top left corner of the input tensor dst, [3, dstH, dstW] in the order blue,
// green, red, multiplies by gain, and writes pad (which gain does not touch) around it. Resizing is bilinear between pixel
// centers with the border repeated, like OpenCV's INTER_LINEAR, within one level of 255.
//
// Each output row is first mixed of two source rows, then resized sideways.
func fill(dst []float32, dstW, dstH int, img *pixels.Image, w, h int, gain, pad float32) {
	xs, ys := taps(w, img.W), taps(h, img.H)
	stride, plane := 3*img.W, dstW*dstH
	mixed := make([]uint8, stride+8) // 8 more, so that a pixel and the next can be read at once anywhere
	pairs, offsets, weights := make([]uint64, w), make([]int, w), make([]uint32, w)
	for x, t := range xs {
		offsets[x], weights[x] = 3*t.at, rows.Weights(t.weight)
	}
	for y, t := range ys {
		upper := img.Pix[stride*t.at:][:stride]
		lower := upper
		if t.at+1 < img.H {
			lower = img.Pix[stride*(t.at+1):][:stride]
		}
		rows.Mix(mixed, upper, lower, t.weight)
		for x, o := range offsets {
			pairs[x] = binary.LittleEndian.Uint64(mixed[o:])
		}
		at := y * dstW
		blue, green, red := dst[at:][:dstW], dst[plane+at:][:dstW], dst[2*plane+at:][:dstW]
		rows.Blend(red, green, blue, pairs, weights, gain/rows.One)
		set(blue[w:], pad)
		set(green[w:], pad)
		set(red[w:], pad)
	}
	for c := range 3 {
		set(dst[c*plane+h*dstW:(c+1)*plane], pad)
	}
}

// tap says that an output pixel is rows.One-weight parts of source pixel at and weight parts of the next; at the end of a line,
// where there is none, weight is 0.
type tap struct {
	at     int
	weight uint16
}

// taps places n output pixels over size source pixels.
func taps(n, size int) []tap {
	out := make([]tap, n)
	step := float64(size) / float64(n)
	for i := range out {
		x := min(max((float64(i)+0.5)*step-0.5, 0), float64(size-1))
		at := int(x)
		out[i] = tap{at, uint16((x-float64(at))*rows.One + 0.5)}
	}
	return out
}

func set(s []float32, v float32) {
	for i := range min(len(s), 16) {
		s[i] = v
	}
	for n := 16; n < len(s); n *= 2 {
		copy(s[n:], s[:n])
	}
}
