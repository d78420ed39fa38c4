package evidence

import (
	"math"
	"slices"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

var nllNames = []string{"nll.mean", "nll.max", "nll.second", "nll.excess", "nll.excessmax"}

// nll is the literal likelihood of the labeled edges under the distributions that a model gives (schemas.Sides): the mean negative
// logarithm over the cells that explain label i, and how far that is above the one of the likeliest distance.
func (s *Scene) nll(v *vector, i int) [4]float64 {
	var total, excess [4]float64
	sum := 0.0
	for k := range s.seen.Cells {
		c := &s.seen.Cells[k]
		if c.Sides == nil || s.seen.iou[i][k] < 0.3 {
			continue
		}
		w := float64(c.Score * s.seen.iou[i][k] * s.seen.iou[i][k])
		sum += w
		bins := len(c.Sides.P) / 4
		for e, d := range distances(c.Sides, s.Labels[i].Box) {
			p := c.Sides.P[e*bins:][:bins]
			n := -math.Log(density(p, d))
			total[e] += w * n
			excess[e] += w * (n + math.Log(float64(max(slices.Max(p), 1))/255))
		}
	}
	if sum == 0 {
		v.addAll(nllNames)
		return [4]float64{}
	}
	for e := range total {
		total[e], excess[e] = total[e]/sum, excess[e]/sum
	}
	sorted := total
	slices.Sort(sorted[:])
	v.addAll(nllNames, (total[0]+total[1]+total[2]+total[3])/4, sorted[3], sorted[2], (excess[0]+excess[1]+excess[2]+excess[3])/4, slices.Max(excess[:]))
	return total
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
