package coreset

import (
	"context"
	"math"
)

// kCenter is k-center greedy (Sener & Savarese 2018, "Active Learning for Convolutional Neural Networks: A Core-Set Approach";
// Gonzalez 1985): every pick is the sample farthest from those before it, must-keep ones and those that are covered included, which
// is within twice the best radius. The first is drawn where there are none. Scores are squared distances to what was picked before,
// 0 to 4. Memory: 12 bytes a sample.
func kCenter(ctx context.Context, t *task) ([]Choice, error) {
	best := make([]float32, t.vectors.Stride()) // largest cosine with a pick
	for i := range best {
		best[i] = float32(math.Inf(-1))
	}
	if err := t.nearest(ctx, best, t.vectors, t.covered); err != nil {
		return nil, err
	}
	picked := make([]bool, len(t.ids))
	var out []Choice
	row, sim := make([]float32, t.vectors.Dim()), make([]float32, len(best))
	for len(out) < t.want {
		at := -1
		if len(out) == 0 && t.covered.Len() == 0 {
			at = t.first()
		} else {
			for i := range t.ids {
				if !picked[i] && (at < 0 || best[i] < best[at]) {
					at = i
				}
			}
		}
		score := 4.0
		if !math.IsInf(float64(best[at]), -1) {
			score = max(0, 2-2*float64(best[at]))
		}
		picked[at] = true
		out = append(out, Choice{Sample: at, Score: score, Weight: 1})
		t.vectors.Row(row, at)
		if err := t.dots(ctx, sim, t.vectors, row); err != nil {
			return nil, err
		}
		for i, s := range sim {
			best[i] = max(best[i], s)
		}
		t.progress(len(out), t.want, "picks")
	}
	return out, nil
}

// first is the candidate of the highest draw.
func (t *task) first() int {
	at, draws := 0, t.draws("first")
	for i, d := range draws {
		if d > draws[at] {
			at = i
		}
	}
	return at
}
