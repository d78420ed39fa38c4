package evidence

import (
	"math"
	"slices"

	"gleaner/schemas/geometry"
)

// Fit is where the cells that explain an object put its edges.
type Fit struct {
	Box   geometry.Box // weighted mean, pixels
	Sure  float64      // [0,1]: the best of their scores
	mean  [4]float64
	sd    [4]float64 // of each edge, weighted, in shares of the fit's side
	cells float64    // effective number (Kish); 0: there are none
}

// weighting says which cells explain a label and how much each counts: IoU^overlap * score^score.
type weighting struct {
	prefix         string
	least          float32 // IoU with the label
	overlap, score float64
	same           bool // scores are for what the label names, where the model knows that
	lead           bool // only cells that agree with the one of the greatest weight count
}

// weightings differ in how much they trust the label: an error moves those that do along with it, the others not.
var weightings = [...]weighting{
	{"edge.label.", 0.2, 2, 1, false, false},
	{"edge.class.", 0.2, 1, 2, true, true},
	{"edge.any.", 0.2, 1, 1, false, true},
	{"edge.close.", 0.4, 4, 1, true, false},
	{"edge.free.", 0.25, 0, 2, true, true},
}

// leastIoU is the least of all weightings.
const leastIoU = 0.2

// free is the weighting that trusts the label least: what it is off by is the best guess of what the label is.
const free = 4

// Fit is what the model makes of the object that label i is about; false where no cell explains it.
func (s *Scene) Fit(i int) (Fit, bool) {
	f := s.fits[i][free]
	return f, f.cells > 0
}

// Agreed is where several fits put an object, at least one: the median of each edge, of three or more unmoved by one that is far off. Those less than a
// tenth as sure as the surest say nothing. How sure it is and how its edges scatter is not told.
func Agreed(fits []Fit) (f Fit) {
	sure := 0.0
	for k := range fits {
		sure = max(sure, fits[k].Sure)
	}
	for e := range f.mean {
		var edge []float64
		for k := range fits {
			if !(fits[k].Sure < sure/10) {
				edge = append(edge, fits[k].mean[e])
			}
		}
		slices.Sort(edge)
		f.mean[e] = (edge[(len(edge)-1)/2] + edge[len(edge)/2]) / 2
	}
	f.Box = f.box()
	return f
}

// best is the fit of label i that trusts it least, or else any; nil where no cell explains it.
func (s *Scene) best(i int) *Fit {
	for _, w := range [...]int{free, 0} {
		if f := &s.fits[i][w]; f.cells > 0 {
			return f
		}
	}
	return nil
}

// explainer is a cell that may be of the object that a label is about.
type explainer struct {
	box       geometry.Box
	iou       float32 // with the label
	own, same float64 // its score, and that for what the label names where the model knows that
	weight    float64 // by the weighting at hand
}

// explainers are those of label i, in space that they may use.
func (s *Scene) explainers(i int, space []explainer) []explainer {
	for _, c := range s.seen.near[i] {
		if j := s.seen.rival[c.cell]; c.iou < leastIoU || j != i && s.Labels[j].Class == s.Labels[i].Class {
			continue // it is about another label
		}
		cell := &s.seen.Cells[c.cell]
		own := float64(cell.Score)
		same := own
		if s.seen.known[i] {
			same = float64(c.same) + 0.05*own
		}
		space = append(space, explainer{box: cell.Box, iou: c.iou, own: own, same: same})
	}
	return space
}

// newFit is the zero value where no cell explains the label.
func newFit(cells []explainer, by weighting) Fit {
	lead, top := -1, 0.0
	for k := range cells {
		c := &cells[k]
		if c.weight = 0; c.iou < by.least {
			continue
		}
		score := c.own
		if by.same {
			score = c.same
		}
		if c.weight = power(float64(c.iou), by.overlap) * power(score, by.score); c.weight > top {
			lead, top = k, c.weight
		}
	}
	if lead < 0 {
		return Fit{}
	}
	f, first := Fit{}, cells[lead].box
	var sum, squares float64
	var second [4]float64
	for k := range cells {
		c := &cells[k]
		if c.iou < by.least {
			continue
		}
		w := c.weight
		if by.lead {
			agrees := iou(c.box, first)
			if agrees < 0.6 {
				continue
			}
			w *= float64(agrees)
		}
		for e, x := range sides(c.box) {
			f.mean[e] += w * x
			second[e] += w * x * x
		}
		sum, squares = sum+w, squares+w*w
		f.Sure = max(f.Sure, c.own)
	}
	for e := range f.mean {
		f.mean[e] /= sum
	}
	f.Box = f.box()
	length := f.lengths()
	for e := range f.mean {
		f.sd[e] = math.Sqrt(max(second[e]/sum-f.mean[e]*f.mean[e], 0)) / length[e%2]
	}
	f.cells = sum * sum / squares
	return f
}

// power is x^p for the small whole p of weightings.
func power(x, p float64) float64 {
	y := 1.0
	for range int(p) {
		y *= x
	}
	return y
}

func (f *Fit) box() geometry.Box {
	return geometry.Box{X1: float32(f.mean[0]), Y1: float32(f.mean[1]), X2: float32(f.mean[2]), Y2: float32(f.mean[3])}
}

func (f *Fit) lengths() [2]float64 {
	return [2]float64{max(f.mean[2]-f.mean[0], 1e-3), max(f.mean[3]-f.mean[1], 1e-3)}
}

// Residuals are how far outside of the fit the edges of a box lie, in shares of the fit's sides: left, top, right, bottom.
func (f *Fit) Residuals(b geometry.Box) (r [4]float64) {
	length := f.lengths()
	for e, x := range sides(b) {
		r[e] = outward[e] * (x - f.mean[e]) / length[e%2]
	}
	return r
}

// edgeSpread is how far edges that are labeled well scatter, in shares of a side: it keeps z-scores finite.
const edgeSpread = 0.03

// z are residuals in standard deviations.
func (f *Fit) z(r [4]float64) [4]float64 {
	for e := range r {
		r[e] /= math.Sqrt(f.sd[e]*f.sd[e] + edgeSpread*edgeSpread)
	}
	return r
}

var edgeNames = []string{
	"sure", "iou", "mean", "first", "second", "third", "fourth", "worst", "rest", "shiftmin", "shiftmax", "shift",
	"wide", "high", "smaller", "larger", "spread", "spreadmax", "zmin", "zmax", "zabs", "cells",
}

// edges is how the labeled edges lie to where the cells put them, by one weighting. What does not depend on which side of the image
// is which is sorted, so that it is learned once.
func (s *Scene) edges(v *vector, i int, f *Fit) {
	if f.cells == 0 {
		v.addAll(edgeNames)
		return
	}
	box := s.Labels[i].Box
	r := f.Residuals(box)
	z := f.z(r)
	mean := (r[0] + r[1] + r[2] + r[3]) / 4
	shiftX, shiftY := math.Abs(r[2]-r[0])/2, math.Abs(r[3]-r[1])/2
	length := f.lengths()
	wide, high := math.Log(max(float64(box.W()), 1e-3)/length[0]), math.Log(max(float64(box.H()), 1e-3)/length[1])
	spread := (f.sd[0] + f.sd[1] + f.sd[2] + f.sd[3]) / 4
	sorted, size := r, [4]float64{}
	for e := range r {
		size[e] = math.Abs(r[e])
	}
	slices.Sort(sorted[:])
	slices.Sort(size[:])
	slices.Sort(z[:])
	v.addAll(edgeNames,
		f.Sure, float64(iou(box, f.Box)), mean, sorted[0], sorted[1], sorted[2], sorted[3], size[3], size[2],
		min(shiftX, shiftY), max(shiftX, shiftY), math.Hypot(shiftX, shiftY), wide, high, min(wide, high), max(wide, high),
		spread, slices.Max(f.sd[:]), z[0], z[3], max(-z[0], z[3]), f.cells)
}
