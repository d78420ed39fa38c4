package coreset

import "context"

// facilitySparse maximizes facility's objective where a sample knows but its Neighbors nearest others and has similarity 0 with the
// rest, by lazy greedy (Wei et al. 2014, "Submodular Subset Selection for Large-Scale Speech Training Data"). Finding the neighbors
// takes n²/2 products. Scores are gains; once all are 0, draws decide. Memory: 16 bytes a neighbor and 40 a sample.
func facilitySparse(ctx context.Context, t *task) ([]Choice, error) {
	n := len(t.ids)
	g, err := t.neighbors(ctx, t.Neighbors)
	if err != nil {
		return nil, err
	}
	start, of, sim := g.columns(n)
	best := make([]float32, t.vectors.Stride())
	if err := t.nearest(ctx, best, t.vectors, t.covered); err != nil {
		return nil, err
	}
	value := func(j int) float64 {
		sum := max(0, 1-float64(best[j])) // it stands for itself
		for e := start[j]; e < start[j+1]; e++ {
			sum += max(0, float64(sim[e])-float64(best[of[e]]))
		}
		return sum
	}
	queue := make(gains, n)
	for j := range queue {
		queue[j] = gain{sample: j, value: value(j)}
	}
	out, err := t.greedy(ctx, queue, value, func(j int) {
		best[j] = 1
		for e := start[j]; e < start[j+1]; e++ {
			best[of[e]] = max(best[of[e]], sim[e])
		}
	})
	if err != nil {
		return nil, err
	}
	return t.redraw(out), nil
}

// redraw puts others, drawn at random, in the place of picks without any gain.
func (t *task) redraw(out []Choice) []Choice {
	useful := 0
	for useful < len(out) && out[useful].Score > 0 {
		useful++
	}
	if useful == len(out) {
		return out
	}
	score := t.draws("ties")
	for _, c := range out[:useful] {
		score[c.Sample] = -1
	}
	rest := *t
	rest.want = len(out) - useful
	for _, c := range rest.highest(score) {
		out[useful] = Choice{Sample: c.Sample, Weight: 1}
		useful++
	}
	return out
}

// columns turns the graph around: whose neighbor each sample is, and how near, from start[j] to start[j+1].
func (g *graph) columns(n int) (start []int, of []int32, sim []float32) {
	start = make([]int, n+1)
	for _, j := range g.of {
		start[j+1]++
	}
	for j := range n {
		start[j+1] += start[j]
	}
	of, sim = make([]int32, len(g.of)), make([]float32, len(g.of))
	next := append([]int(nil), start[:n]...)
	for e, j := range g.of {
		of[next[j]], sim[next[j]] = int32(e/g.k), g.sim[e]
		next[j]++
	}
	return start, of, sim
}
