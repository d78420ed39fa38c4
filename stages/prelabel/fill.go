package prelabel

import (
	"gleaner/stages/pixels"
	"gleaner/stages/pixels/rows"
)

// channel says what one channel of the input holds: gain times the level, 0..255, of a color, plus bias; pad around the image.
type channel struct {
	from            int // 0 red, 1 green, 2 blue
	gain, bias, pad float32
}

// resizer is memory for filling an input, and where the columns lie of the last image, since the next is often as wide.
type resizer struct {
	columns *rows.Columns
	w, from int // pixels of theirs, and of the image's row
	mixed   []uint8
}

// fill resizes img into the part of the input tensor dst, [3, dstH, dstW], that at says, and writes each channel's pad around
// it. Resizing is bilinear between pixel centers with the border repeated, like OpenCV's INTER_LINEAR, within one level of 255.
//
// Each output row is first mixed of two source rows, then resized sideways.
func (r *resizer) fill(dst []float32, dstW, dstH int, img *pixels.Image, at placement, channels [3]channel) {
	down, stride, plane := taps(at.h, img.H), 3*img.W, dstW*dstH
	if r.w != at.w || r.from != img.W {
		*r = resizer{rows.NewColumns(at.w, taps(at.w, img.W)), at.w, img.W, make([]uint8, stride+rows.Slack)}
	}
	var gain, bias [3]float32 // by color
	for _, c := range channels {
		gain[c.from], bias[c.from] = c.gain/rows.One, c.bias
	}
	for y := range at.h {
		first, second := down(y)
		upper := img.Pix[stride*first:][:stride]
		lower := upper
		if first+1 < img.H {
			lower = img.Pix[stride*(first+1):][:stride]
		}
		next, _ := down(y + 1)
		rows.Prefetch(img.Pix[stride*next : min(stride*(next+2), len(img.Pix))])
		rows.Mix(r.mixed, upper, lower, second)
		var colors [3][]float32
		for i, c := range channels {
			row := dst[i*plane+(at.top+y)*dstW:][:dstW]
			colors[c.from] = row[at.left:][:at.w]
			set(row[:at.left], c.pad)
			set(row[at.left+at.w:], c.pad)
		}
		r.columns.Blend(colors[0], colors[1], colors[2], r.mixed, gain, bias)
	}
	for i, c := range channels {
		set(dst[i*plane:][:at.top*dstW], c.pad)
		set(dst[i*plane+(at.top+at.h)*dstW:(i+1)*plane], c.pad)
	}
}

// taps places n output pixels over size source pixels: each is rows.One-second parts of pixel at and second parts of the next; at the
// end of a line, where there is none, second is 0.
func taps(n, size int) func(i int) (at int, second uint16) {
	step := float64(size) / float64(n)
	return func(i int) (int, uint16) {
		x := min(max((float64(i)+0.5)*step-0.5, 0), float64(size-1))
		at := int(x)
		return at, uint16((x-float64(at))*rows.One + 0.5)
	}
}

func set(s []float32, v float32) {
	for i := range min(len(s), 16) {
		s[i] = v
	}
	for n := 16; n < len(s); n *= 2 {
		copy(s[n:], s[:n])
	}
}
