package prelabel

import (
	"math"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

// grid is the cells of one stride over the input.
type grid struct{ stride, cols, rows int }

// gridsOf covers an input of w by h pixels; sides are rounded up, as convolutions with padding do.
func gridsOf(w, h int, strides []int) []grid {
	out := make([]grid, len(strides))
	for i, s := range strides {
		out[i] = grid{s, (w + s - 1) / s, (h + s - 1) / s}
	}
	return out
}

func cellsOf(grids []grid) int {
	n := 0
	for _, g := range grids {
		n += g.cols * g.rows
	}
	return n
}

func stridesOf(grids []grid) []int {
	out := make([]int, len(grids))
	for i, g := range grids {
		out[i] = g.stride
	}
	return out
}

// offCells is how far, in cells and on average, the centers of rows of n numbers lie from the middle of their cells: if they
// are offsets in cells, and if they are pixels of the input. What is not finite counts as far.
func offCells(out []float32, n int, grids []grid) (offsets, pixels float64) {
	i := 0
	far := func(x, y float32) float64 {
		if d := math.Hypot(float64(x), float64(y)); d < 1e3 {
			return d
		}
		return 1e3
	}
	for _, g := range grids {
		s := float32(g.stride)
		for cell := range g.rows * g.cols {
			x, y := out[i*n], out[i*n+1]
			offsets += far(x-0.5, y-0.5)
			pixels += far(x/s-float32(cell%g.cols)-0.5, y/s-float32(cell/g.cols)-0.5)
			i++
		}
	}
	return offsets / float64(i), pixels / float64(i)
}

func centered(cx, cy, w, h float32) geometry.Box {
	return geometry.Box{X1: cx - w/2, Y1: cy - h/2, X2: cx + w/2, Y2: cy + h/2}
}

// boxReader makes boxes in pixels of the input of four numbers.
type boxReader struct {
	format schemas.BoxFormat
	sx, sy float32 // pixels per unit
}

func (r boxReader) box(a, b, c, d float32) geometry.Box {
	switch r.format {
	case schemas.BoxCXCYWH:
		return centered(a*r.sx, b*r.sy, c*r.sx, d*r.sy)
	case schemas.BoxXYWH:
		return geometry.Box{X1: a * r.sx, Y1: b * r.sy, X2: (a + c) * r.sx, Y2: (b + d) * r.sy}
	case schemas.BoxYXYX:
		a, b, c, d = b, a, d, c
	}
	return geometry.Box{X1: a * r.sx, Y1: b * r.sy, X2: c * r.sx, Y2: d * r.sy}
}
