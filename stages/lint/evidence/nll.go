package evidence

import (
	"math"
	"slices"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

var nllNames = []string{"nll.mean", "nll.max", "nll.second", "nll.excess", "nll.excessmax"}

// likelihood is that of each edge of a label under the distributions that a model gives (schemas.Sides): the mean negative logarithm over
// the cells that explain the label, and how far that is above the one of the likeliest distance.
type likelihood struct {
	total, excess [4]float64
	known         bool
}

func (s *Scene) likelihood(i int) (l likelihood) {
	sum := 0.0
	for _, near := range s.seen.near[i] {
		c := &s.seen.Cells[near.cell]
		if c.Sides == nil || near.iou < 0.3 {
			continue
		}
		w := float64(c.Score * near.iou * near.iou)
		sum += w
		bins := len(c.Sides.P) / 4
		for e, d := range distances(c.Sides, s.Labels[i].Box) {
			p := c.Sides.P[e*bins:][:bins]
			n := -math.Log(density(p, d))
			l.total[e] += w * n
			l.excess[e] += w * (n + s.seen.peaks[near.cell][e])
		}
	}
	if sum == 0 {
		return likelihood{}
	}
	for e := range l.total {
		l.total[e], l.excess[e] = l.total[e]/sum, l.excess[e]/sum
	}
	l.known = true
	return l
}

// peaks are logarithms of the probabilities of the likeliest distances, [cells][sides]; 0 where the model gives none.
func peaks(cells []schemas.Candidate) [][4]float64 {
	out := make([][4]float64, len(cells))
	for k := range cells {
		of := cells[k].Sides
		if of == nil {
			continue
		}
		bins := len(of.P) / 4
		for e := range out[k] {
			out[k][e] = math.Log(float64(max(slices.Max(of.P[e*bins:][:bins]), 1)) / 255)
		}
	}
	return out
}

// nll is the literal likelihood of the labeled edges.
func (s *Scene) nll(v *vector, i int) {
	l := &s.likely[i]
	if !l.known {
		v.addAll(nllNames)
		return
	}
	sorted := l.total
	slices.Sort(sorted[:])
	v.addAll(nllNames, mean(l.total), sorted[3], sorted[2], mean(l.excess), slices.Max(l.excess[:]))
}

// distances are those of a box's edges from a cell's center, in bins.
func distances(s *schemas.Sides, b geometry.Box) [4]float64 {
	return [4]float64{
		float64((s.X - b.X1) / s.StepX), float64((s.Y - b.Y1) / s.StepY),
		float64((b.X2 - s.X) / s.StepX), float64((b.Y2 - s.Y) / s.StepY),
	}
}

// density is the probability at a distance in bins, between two bins on the line from one to the other, and at least that which the
// quantization cannot tell from nothing.
func density(p []byte, d float64) float64 {
	const least = 0.5 / 255
	if !(d > -1 && d < float64(len(p))) {
		return least
	}
	at := func(i int) float64 {
		if i < 0 || i >= len(p) {
			return 0
		}
		return float64(p[i]) / 255
	}
	low := math.Floor(d)
	share := d - low
	return max(at(int(low))*(1-share)+at(int(low)+1)*share, least)
}
