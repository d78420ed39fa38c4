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
		line := make([]uint8, img.W)
		row := func(y int) []uint8 {
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
// once; what it gave before may be overwritten. Exact below 2^27 source pixels, and then within 1.
func area(sw, sh int, row func(y int) []uint8, w, h int) plane {
	p := plane{w, h, make([]uint8, w*h)}
	// All in integers: an output pixel is sh/h source pixels high, so weights of rows are in units of 1/h and add up to sh.
	var (
		spans = rows.NewSpans(sw, w, sh)
		sum   = make([]uint32, sw+1) // of each column under the output row, and a last one that is empty
		line  = row(0)
		at    = 0
	)
	for y := range h {
		clear(sum)
		for lo, hi := y*sh, (y+1)*sh; lo < hi; {
			if j := lo / h; j != at {
				line, at = row(j), j
			}
			end := min((at+1)*h, hi)
			rows.AddWeighted(sum, line, uint32(end-lo))
			lo = end
		}
		spans.Average(p.row(y), sum)
	}
	return p
}
