package prelabel

import (
	"encoding/binary"

	"gleaner/stages/pixels"
	"gleaner/stages/pixels/rows"
)

// channel says what one channel of the input holds: gain times the level, 0..255, of a color, plus bias; pad around the image.
type channel struct {
	from            int // 0 red, 1 green, 2 blue
	gain, bias, pad float32
}

// fill resizes img into the part of the input tensor dst, [3, dstH, dstW], that at says, and writes each channel's pad around
// it. Resizing is bilinear between pixel centers with the border repeated, like OpenCV's INTER_LINEAR, within one level of 255.
//
// Each output row is first mixed of two source rows, then resized sideways.
func fill(dst []float32, dstW, dstH int, img *pixels.Image, at placement, channels [3]channel) {
	xs, ys := taps(at.w, img.W), taps(at.h, img.H)
	stride, plane := 3*img.W, dstW*dstH
	mixed := make([]uint8, stride+8) // 8 more, so that a pixel and the next can be read at once anywhere
	pairs, offsets, weights := make([]uint64, at.w), make([]int, at.w), make([]uint32, at.w)
	for x, t := range xs {
		offsets[x], weights[x] = 3*t.at, rows.Weights(t.weight)
	}
	var gain, bias [3]float32 // by color
	for _, c := range channels {
		gain[c.from], bias[c.from] = c.gain/rows.One, c.bias
	}
	for y, t := range ys {
		upper := img.Pix[stride*t.at:][:stride]
		lower := upper
		if t.at+1 < img.H {
			lower = img.Pix[stride*(t.at+1):][:stride]
		}
		rows.Mix(mixed, upper, lower, t.weight)
		pairs = pairs[:len(offsets)]
		for x, o := range offsets {
			pairs[x] = binary.LittleEndian.Uint64(mixed[o : o+8 : o+8]) // cut so, one comparison is left to check
		}
		var colors [3][]float32
		for i, c := range channels {
			row := dst[i*plane+(at.top+y)*dstW:][:dstW]
			colors[c.from] = row[at.left:][:at.w]
			set(row[:at.left], c.pad)
			set(row[at.left+at.w:], c.pad)
		}
		rows.Blend(colors[0], colors[1], colors[2], pairs, weights, gain, bias)
	}
	for i, c := range channels {
		set(dst[i*plane:][:at.top*dstW], c.pad)
		set(dst[i*plane+(at.top+at.h)*dstW:(i+1)*plane], c.pad)
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
