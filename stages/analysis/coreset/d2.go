package coreset

import (
	"container/heap"
	"context"
	"math"
)

// d2 is D2 pruning (Maharana et al. 2023, "D2 Pruning: Message Passing for Balancing Diversity and Difficulty in Data Pruning"): on the
// graph of nearest neighbors each sample first gathers the difficulty of its neighbors, weighted by exp(-Forward d²), d being the
// distance; then the sample with the most is picked, and takes from its neighbors exp(-Reverse d²) times what it has, and so on.
// Difficulty is the score scaled to [0,1]. Scores of the choices are what the picks had, which may be negative. Memory: 8 bytes a
// neighbor and 40 a sample.
func d2(ctx context.Context, t *task) ([]Choice, error) {
	g, err := t.neighbors(ctx, t.Neighbors)
	if err != nil {
		return nil, err
	}
	difficulty := scaled(t.hardness)
	held := make([]float64, len(difficulty))
	weight := func(gamma float64, e int) float64 { return math.Exp(-gamma * max(0, 2-2*float64(g.sim[e]))) }
	for i, x := range difficulty {
		held[i] = x
		for e := i * g.k; e < (i+1)*g.k; e++ {
			held[i] += weight(t.Forward, e) * difficulty[g.of[e]]
		}
	}
	queue := make(gains, len(held))
	for i, x := range held {
		queue[i] = gain{sample: i, value: x}
	}
	heap.Init(&queue)
	var out []Choice
	for len(out) < t.want {
		top := heap.Pop(&queue).(gain)
		i := top.sample
		if top.value != held[i] { // it lost some to a pick: what it has now is in the queue too
			continue
		}
		out = append(out, Choice{Sample: i, Score: held[i], Weight: 1})
		x := held[i]
		held[i] = math.NaN()
		for e := i * g.k; e < (i+1)*g.k; e++ {
			if j := int(g.of[e]); !math.IsNaN(held[j]) && x > 0 {
				held[j] -= weight(t.Reverse, e) * x
				heap.Push(&queue, gain{sample: j, value: held[j]})
			}
		}
		if t.progress(len(out), t.want, "picks"); ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return out, nil
}

// scaled maps the lowest to 0 and the highest to 1; where all are equal, all to 1.
func scaled(values []float64) []float64 {
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		low, high = min(low, v), max(high, v)
	}
	out := make([]float64, len(values))
	for i, v := range values {
		if out[i] = 1; high > low {
			out[i] = (v - low) / (high - low)
		}
	}
	return out
}
