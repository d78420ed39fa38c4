package coreset

import (
	"context"
	"math"

	"gleaner/stages/analysis/coreset/vectors"
)

// facilityStochastic maximizes facility's objective by stochastic greedy: each pick is the best of a random (n/k) ln(1/Epsilon)
// candidates, which reaches 1-1/e-Epsilon of the best value in expectation with n ln(1/Epsilon) gains in all, however many picks
// (Mirzasoleiman et al. 2015, "Lazier Than Lazy Greedy"). Scores are ranks, since gains need not fall. Similarities are worked out as
// they are needed: n² ln(1/Epsilon) products. Memory: 12 bytes a sample, and 1 KiB a sample and thread.
func facilityStochastic(ctx context.Context, t *task) ([]Choice, error) {
	n := len(t.ids)
	best := make([]float32, t.vectors.Stride())
	if err := t.nearest(ctx, best, t.vectors, t.covered); err != nil {
		return nil, err
	}
	rng := t.rand("stochastic greedy")
	left := upTo(n)
	row, sim := make([]float32, t.vectors.Dim()), make([]float32, len(best))
	var places []int
	for len(places) < t.want {
		size := min(len(left), max(1, int(math.Ceil(float64(n)/float64(t.want)*math.Log(1/t.Epsilon)))))
		for i := range size { // the first of left become the sample
			j := i + rng.IntN(len(left)-i)
			left[i], left[j] = left[j], left[i]
		}
		value := make([]float64, size)
		if err := t.rows(ctx, t.vectors, left[:size], func(i int, sim []float32) { value[i] = vectors.Gain(sim, best) }); err != nil {
			return nil, err
		}
		at := 0
		for i, v := range value {
			if v > value[at] || v == value[at] && left[i] < left[at] {
				at = i
			}
		}
		places = append(places, left[at])
		t.vectors.Row(row, left[at])
		if err := t.dots(ctx, sim, t.vectors, row); err != nil {
			return nil, err
		}
		vectors.Raise(best, sim)
		last := len(left) - 1
		left[at], left = left[last], left[:last]
		t.progress(len(places), t.want, "picks")
	}
	return ranked(places), nil
}
