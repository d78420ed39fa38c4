package ingest

// The small luma plane that an image is measured on.

import (
	"math"
	"math/bits"

	"gleaner/stages/pixels"
)

// plane is [H,W] row-major luma, 8 bits, without padding.
type plane struct {
	w, h int
	pix  []uint8
}

// newLuma returns the BT.601 full-range luma, 0.299 R + 0.587 G + 0.114 B rounded, area-averaged so that its longer side is
// at most maxSide pixels.
func newLuma(img *pixels.Image, maxSide int) plane {
	line := make([]uint8, img.W)
	row := func(y int) []uint8 {
		lumaRow(line, img.Pix[3*y*img.W:][:3*img.W])
		return line
	}
	w, h := img.W, img.H
	if long := max(w, h); long > maxSide {
		w, h = max(1, w*maxSide/long), max(1, h*maxSide/long)
		return area(img.W, img.H, row, w, h)
	}
	p := plane{w, h, make([]uint8, 0, w*h)}
	for y := range h {
		p.pix = append(p.pix, row(y)...)
	}
	return p
}

// lumaOf holds what each value of red, green and blue adds to luma, in units of 2^-16, and rounding. Looking these up takes a
// third less time than multiplying.
var lumaOf = func() (t [3][256]uint32) {
	for v := range uint32(256) {
		t[0][v], t[1][v], t[2][v] = 19595*v, 38470*v, 7471*v+1<<15
	}
	return t
}()

func lumaRow(dst, rgb []uint8) {
	red, green, blue := &lumaOf[0], &lumaOf[1], &lumaOf[2]
	for i := range dst {
		s := rgb[3*i : 3*i+3 : 3*i+3]
		dst[i] = uint8((red[s[0]] + green[s[1]] + blue[s[2]]) >> 16)
	}
}

// area returns the plane of w x h pixels each of which is the average, rounded, of the source area that it covers, whole
// pixels and parts alike, of a source of sw x sh pixels. row gives the source's rows, which are asked for in order, each
// once; what it gave before may be overwritten. Exact below 2^27 source pixels, and then within 1.
func area(sw, sh int, row func(y int) []uint8, w, h int) plane {
	p := plane{w, h, make([]uint8, w*h)}
	// All in integers: an output pixel is sw/w x sh/h source pixels, so lengths are in units of 1/w and 1/h of one, and the
	// weights under an output pixel add up to sw*sh. Dividing by twice that is a multiplication by its inverse in units of 2^-64.
	covered := uint64(sw) * uint64(sh)
	inverse := math.MaxUint64/(2*covered) + 1
	var (
		sum     = make([]uint32, sw+1) // of each column under the output row, and a last one that is empty
		before  = make([]uint64, sw+1) // of all columns before
		borders = make([]border, w)    // on the right of each output pixel
		line    = row(0)
		at      = 0
	)
	for x := range borders {
		borders[x] = border{(x + 1) * sw / w, uint64((x + 1) * sw % w)}
	}
	for y := range h {
		clear(sum)
		for lo, hi := y*sh, (y+1)*sh; lo < hi; {
			if j := lo / h; j != at {
				line, at = row(j), j
			}
			end := min((at+1)*h, hi)
			weight := uint32(end - lo)
			column := sum[:len(line)]
			for x, v := range line {
				column[x] += weight * uint32(v)
			}
			lo = end
		}
		var total, left uint64
		for x, v := range sum {
			before[x] = total
			total += uint64(v)
		}
		out := p.pix[y*w:][:len(borders)]
		for x, b := range borders {
			right := before[b.column]*uint64(w) + b.part*uint64(sum[b.column])
			mean, _ := bits.Mul64(2*(right-left)+covered, inverse)
			out[x], left = uint8(mean), right
		}
	}
	return p
}

// border is a place between or within columns: so many whole ones, and a part of the next.
type border struct {
	column int
	part   uint64
}
