package evidence

import (
	"math"
	"slices"

	"gleaner/schemas/geometry"
)

// Edges is the evidence about each edge of label i by itself, [4][features], in the order of EdgeNames: left, top, right, bottom.
func (s *Scene) Edges(i int) (of [4][]float32) {
	whole := &vector{values: make([]float32, 0, len(supportNames)+4)}
	s.around(whole, i)
	for e := range of {
		v := &vector{values: make([]float32, 0, len(oneEdgeNames))}
		s.edge(v, i, e)
		of[e] = append(v.values, whole.values...)
	}
	return of
}

// EdgeNames are the names of the numbers of Edges.
func EdgeNames() []string { return oneEdgeNames }

var oneEdgeNames = func() []string {
	v := &vector{named: true}
	s := blank()
	s.edge(v, 0, 0)
	s.around(v, 0)
	return v.names
}()

// Moved is a box with one edge, 0 left, 1 top, 2 right, 3 bottom, where another box has it.
func Moved(b, to geometry.Box, edge int) geometry.Box {
	switch edge {
	case 0:
		b.X1 = to.X1
	case 1:
		b.Y1 = to.Y1
	case 2:
		b.X2 = to.X2
	default:
		b.Y2 = to.Y2
	}
	return b
}

// around is what counts for all edges of a label.
func (s *Scene) around(v *vector, i int) {
	s.addSupport(v, i)
	sure, fits, cells := math.NaN(), math.NaN(), math.NaN()
	if f := s.best(i); f != nil {
		sure, fits, cells = f.Sure, float64(iou(s.Labels[i].Box, f.Box)), f.cells
	}
	v.add("sure", sure)
	v.add("iou", fits)
	v.add("cells", cells)
	v.add("labels", math.Log1p(float64(len(s.Labels))))
}

var (
	residualNames = []string{"residual", "z", "alone", "against", "opposite", "sd"}
	meanNames     = []string{"residual", "abs", "opposite", "oppositeabs", "beside", "besidemin", "rest", "distance", "stretch", "low", "high"}
)

// edge is how edge e of label i lies to where the cells put it, beside the other three: one edge that is wrong leaves them in place.
func (s *Scene) edge(v *vector, i, e int) {
	box := s.Labels[i].Box
	side := s.side(i, e)
	next, opposite, last := (e+1)%4, (e+2)%4, (e+3)%4
	r, all := s.off[i].mean, &s.off[i].by
	low, high := math.Inf(1), math.Inf(-1)
	for w, by := range weightings {
		v.prefix = by.prefix
		f := &s.fits[i][w]
		if f.cells == 0 {
			v.addAll(residualNames)
			continue
		}
		x := all[w]
		low, high = min(low, x[e]), max(high, x[e])
		v.addAll(residualNames, x[e], f.z(x)[e], math.Abs(x[e])-max(math.Abs(x[next]), math.Abs(x[opposite]), math.Abs(x[last])),
			x[e]-(x[next]+x[opposite]+x[last])/3, x[opposite], f.sd[e])
	}
	v.prefix = "mean."
	f := s.best(i)
	if f == nil {
		v.addAll(meanNames)
	} else {
		beside := [2]float64{math.Abs(r[next]), math.Abs(r[last])}
		slices.Sort(beside[:])
		v.addAll(meanNames, r[e], math.Abs(r[e]), r[opposite], math.Abs(r[opposite]), beside[1], beside[0], max(beside[1], math.Abs(r[opposite])),
			math.Log1p(math.Abs(r[e])*side), math.Abs(r[e]+r[opposite]), low, high)
	}
	v.prefix = ""
	l := &s.likely[i]
	v.add("nll", l.total[e])
	v.add("nllrest", max(l.total[next], l.total[opposite], l.total[last]))
	v.prefix = "pixels."
	to := 0.0 // where the fits put the edge, seen from the label's, in shares of its side
	if f != nil {
		to = min(max(-r[e]*f.lengths()[e%2]/side, -lookReach), lookReach)
	}
	s.border(v, i, e, to)
	if l := s.looks[i]; l != nil {
		v.addAll(stripNames, l.strips[e][:]...)
	} else {
		v.addAll(stripNames)
	}
	v.prefix = ""
	s.neighbors(v, i, e)
	v.add("side", math.Log(side))
	v.add("aspect", math.Log(side/s.side(i, next)))
	v.add("across", float64(e%2))
	v.add("bottom", flag(e == 3))
	margin, fitted := s.margin(box, e), math.NaN()
	if f != nil {
		fitted = min(s.margin(f.Box, e)/side, 2)
	}
	v.add("frame", flag(margin < 2))
	v.add("margin", min(margin/side, 2))
	v.add("fitmargin", fitted)
}

// side is the length of label i across edge e, pixels.
func (s *Scene) side(i, e int) float64 { return across(s.Labels[i].Box, e) }

func across(b geometry.Box, e int) float64 {
	return max([2]float64{float64(b.W()), float64(b.H())}[e%2], 1e-3)
}

// margin is how far edge e of a box is from the image's, pixels.
func (s *Scene) margin(b geometry.Box, e int) float64 {
	return [4]float64{float64(b.X1), float64(b.Y1), float64(s.W) - float64(b.X2), float64(s.H) - float64(b.Y2)}[e]
}

var onePixelNames = []string{"here", "fit", "gain", "peak", "peakfit", "stands", "in", "out", "border.here", "border.gain", "border.peak"}

// border is whether the image changes at an edge, or rather at an offset from it.
func (s *Scene) border(v *vector, i, e int, to float64) {
	l := s.looks[i]
	if l == nil {
		v.addAll(onePixelNames)
		return
	}
	p := &l.contrast[e]
	top, at := p.peak()
	var in, out float64
	for t, x := range p {
		switch {
		case t < lookHalf:
			in += float64(x)
		case t > lookHalf:
			out += float64(x)
		}
	}
	here, gain, peak := math.NaN(), math.NaN(), math.NaN()
	if s.borders != nil {
		b := &l.border[e]
		here, gain = b.at(0), b.at(to)-b.at(0)
		_, peak = b.peak()
	}
	v.addAll(onePixelNames, p.at(0)/(top+1e-3), p.at(to)/(top+1e-3), math.Log((p.at(to)+1)/(p.at(0)+1)), at, math.Abs(at-to), p.at(0)/(p.mean()+1),
		math.Log1p(in), math.Log1p(out), here, gain, peak)
}

const (
	strips     = 4       // along an edge, two on each side of it
	stripWide  = 1.0 / 6 // of the box's side
	stripCells = 5       // samples across a strip, and
	stripAlong = 16      // along it, but for a tenth at both its ends
)

var stripNames = []string{"strip.across", "strip.inside", "strip.outside"}

// strips compares the mean colors of strips along an edge of a box: just inside with just outside, and each with the next one. An edge that is too far
// out has the outside on both its sides. Logarithms of the sum of absolute differences, each 0..255.
func (s *Scene) strips(b geometry.Box, e int) [3]float64 {
	low, long := float64(b.Y1), float64(b.H())
	step, stride, limit, width := 1, s.W, s.W, s.H // in pixels: across the edge, and along it
	if e%2 == 1 {
		low, long = float64(b.X1), float64(b.W())
		step, stride, limit, width = s.W, 1, s.H, s.W
	}
	var memory [stripAlong]int
	along := memory[:0]
	for a := range stripAlong {
		if y := int(math.Floor(low + long*(0.1+0.8*(float64(a)+0.5)/stripAlong))); y >= 0 && y < width {
			along = append(along, y*stride)
		}
	}
	at, side := sides(b)[e], across(b, e)
	var color [strips][3]float64
	for k := range color {
		from := float64(k-strips/2) * stripWide
		n, sum := 0, [3]int{}
		for c := range stripCells {
			x := int(math.Floor(at + outward[e]*side*(from+stripWide*(float64(c)+0.5)/stripCells)))
			if x < 0 || x >= limit {
				continue
			}
			n += len(along)
			for _, y := range along {
				pixel := s.image.Pix[3*(x*step+y):][:3]
				sum[0], sum[1], sum[2] = sum[0]+int(pixel[0]), sum[1]+int(pixel[1]), sum[2]+int(pixel[2])
			}
		}
		for c, x := range sum {
			color[k][c] = math.NaN()
			if n >= stripCells*stripAlong/4 { // else most of it lies outside of the image
				color[k][c] = float64(x) / float64(n)
			}
		}
	}
	apart := func(a, b [3]float64) float64 {
		return math.Log1p(math.Abs(a[0]-b[0]) + math.Abs(a[1]-b[1]) + math.Abs(a[2]-b[2]))
	}
	return [3]float64{apart(color[1], color[2]), apart(color[1], color[0]), apart(color[2], color[3])}
}

// neighbors is how other labels lie to an edge: two things often meet at one.
func (s *Scene) neighbors(v *vector, i, e int) {
	overlap, nearest := 0.0, 1.0
	x := sides(s.Labels[i].Box)[e]
	for _, t := range s.touch[i] {
		if t.iou > 0 {
			overlap = max(overlap, float64(t.iou))
			y := sides(s.Labels[t.label].Box)
			nearest = min(nearest, min(math.Abs(x-y[e]), math.Abs(x-y[(e+2)%4]))/s.side(i, e))
		}
	}
	v.add("crowd.overlap", overlap)
	v.add("crowd.edge", nearest)
}
