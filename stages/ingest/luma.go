package ingest

// The small luma plane that an image is measured on.

import (
	"gleaner/stages/pixels"
	"gleaner/stages/pixels/rows"
)

// plane is [H,W] row-major luma, 8 bits, without padding.
type plane struct {
	w, h int
	pix  []uint8
}

func (p plane) row(y int) []uint8 { return p.pix[y*p.w:][:p.w] }

// newLuma returns the BT.601 full-range luma, 0.299 R + 0.587 G + 0.114 B rounded, area-averaged so that its longer side is
// at most maxSide pixels.
func newLuma(img *pixels.Image, maxSide int) plane {
	w, h := img.W, img.H
	if long := max(w, h); long > maxSide {
		lines := make([]uint8, 2*img.W)
		row := func(y int) []uint8 {
			line := lines[y%2*img.W:][:img.W]
			rows.Luma(line, img.Pix[3*y*img.W:][:3*img.W])
			return line
		}
		return area(img.W, img.H, row, max(1, w*maxSide/long), max(1, h*maxSide/long))
	}
	p := plane{w, h, make([]uint8, w*h)}
	rows.Luma(p.pix, img.Pix)
	return p
}

// area returns the plane of w x h pixels each of which is the average, rounded, of the source area that it covers, whole
// pixels and parts alike, of a source of sw x sh pixels. row gives the source's rows, which are asked for in order, each
// once; what it gave before the last one may be overwritten. Exact below 2^27 source pixels, and then within 1; w and h are
// below 2^15.
func area(sw, sh int, row func(y int) []uint8, w, h int) plane {
	p := plane{w, h, make([]uint8, w*h)}
	// All in integers: an output pixel is sh/h source pixels high, so weights of rows are in units of 1/h and add up to sh.
	var (
		spans = rows.NewSpans(sw, w, sh)
		sum   = make([]uint32, sw+1) // of each column under the output row, and a last one that is empty
		line  []uint8
		at    = -1 // which row line is
		lo    = 0  // how far down the output rows have come
	)
	next := func(hi int) (part []uint8, weight uint32) { // of the source row at lo, as far as it lies above hi
		if j := lo / h; j != at {
			line, at = row(j), j
		}
		from := lo
		lo = min((at+1)*h, hi)
		return line, uint32(lo - from)
	}
	for y := range h {
		clear(sum)
		for hi := (y + 1) * sh; lo < hi; {
			above, upper := next(hi)
			below, lower := above, uint32(0)
			if lo < hi {
				below, lower = next(hi)
			}
			rows.AddWeighted(sum, above, below, upper, lower)
		}
		spans.Average(p.row(y), sum)
	}
	return p
}
