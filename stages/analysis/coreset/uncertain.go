package coreset

import (
	"context"
	"math"
)

// uncertain picks what to label next: samples drawn one after the other with a probability in proportion to their uncertainty times
// the squared distance to what was picked before and to what has labels already, so that they are doubtful, unlike each other and
// new. It is k-means++ weighted by uncertainty; BADGE (Ash et al. 2020, "Deep Batch Active Learning by Diverse, Uncertain Gradient
// Lower Bounds") draws in the same way from vectors whose length is the uncertainty. Negative uncertainty counts as none. Scores are ranks.
// Memory: 20 bytes a sample.
func uncertain(ctx context.Context, t *task) ([]Choice, error) {
	weight := make([]float64, len(t.hardness))
	for i, u := range t.hardness {
		weight[i] = max(0, u)
	}
	places, err := t.spread(ctx, t.vectors, weight, t.want, t.rand("uncertain"), func(done, total int) { t.progress(done, total, "picks") })
	return ranked(places), err
}

// Entropy is the uncertainty of a yes or no that is yes with probability p, in bits: 1 at one half, 0 at none and all.
func Entropy(p float64) float64 {
	if !(p > 0 && p < 1) {
		return 0
	}
	return -p*math.Log2(p) - (1-p)*math.Log2(1-p)
}
