package coreset

import (
	"container/heap"
	"context"
	"fmt"

	"gleaner/stages/analysis/coreset/vectors"
)

// facility maximizes Σ max(0, cosine of a sample with the pick most like it) over all samples, by lazy greedy: gains only ever fall
// (the objective is submodular), so a gain that was worked out anew and still leads the queue is the largest. It reaches at least
// 1-1/e of the best value (Nemhauser et al. 1978; Minoux 1978, "Accelerated greedy algorithms for maximizing submodular set functions").
// Scores are gains. Memory: 4 bytes a pair of samples, all products being kept, and it refuses more than Work.Memory.
func facility(ctx context.Context, t *task) ([]Choice, error) {
	return t.lazy(ctx, func([]float32) {})
}

// lazy is lazy greedy on a matrix of all similarities, which similarity makes of cosines in place.
func (t *task) lazy(ctx context.Context, similarity func(cosines []float32)) ([]Choice, error) {
	n, stride := len(t.ids), t.vectors.Stride()
	if need := 4 * int64(n) * int64(stride); need > t.memory() {
		return nil, fmt.Errorf("the similarities of %d samples take %d MiB, more than %d: pick per class, or by facility-sparse, facility-stochastic or facility-sieve",
			n, need>>20, t.memory()>>20)
	}
	all, err := t.similarities(ctx)
	if err != nil {
		return nil, err
	}
	best := make([]float32, stride) // before the first pick, similarity 0
	if t.covered.Len() > 0 {
		for i := range best[:n] {
			best[i] = -1
		}
		if err := t.nearest(ctx, best, t.vectors, t.covered); err != nil {
			return nil, err
		}
		similarity(best[:n])
		clear(best[n:])
		vectors.Raise(best, make([]float32, stride))
	}
	// Gains are worked out by segments of the samples: an old gain of a segment bounds the new one, so most candidates fall behind
	// others before all of their segments are worked out anew.
	width := (stride/vectors.Panel + segments - 1) / segments * vectors.Panel
	bounds := make([][segments]float64, n)
	segment := func(i, s int) {
		from, to := min(stride, s*width), min(stride, (s+1)*width)
		bounds[i][s] = vectors.Gain(all[i*stride+from:i*stride+to], best[from:to])
	}
	queue := make(gains, n)
	err = t.each(ctx, n, func(_, i int) error {
		similarity(all[i*stride : i*stride+n])
		for s := range segments {
			segment(i, s)
		}
		queue[i] = gain{sample: i, value: total(&bounds[i])}
		return nil
	})
	if err != nil {
		return nil, err
	}
	type progress struct{ picks, segments int }
	worked := make([]progress, n)
	return t.greedy(ctx, queue, func(i, picks int) (float64, bool) {
		w := &worked[i]
		if w.picks != picks {
			*w = progress{picks: picks}
		}
		segment(i, w.segments)
		w.segments++
		return total(&bounds[i]), w.segments == segments
	}, func(i int) { vectors.Raise(best, all[i*stride:(i+1)*stride]) })
}

// segments is how many parts lazy's gains have.
const segments = 4

func total(of *[segments]float64) (sum float64) {
	for _, x := range of {
		sum += x
	}
	return sum
}

// similarities are the cosines of all pairs, [n, stride]. Each is worked out once, for the two places that it has.
func (t *task) similarities(ctx context.Context) ([]float32, error) {
	n, stride := t.vectors.Len(), t.vectors.Stride()
	out := make([]float32, (n+vectors.Group)*stride) // the last group may not be full
	const size = rowsAtOnce
	blocks := (n + size - 1) / size
	queries := make([]vectors.Queries, t.threads())
	err := t.each(ctx, blocks, func(worker, b int) error {
		first, end := b*size, min(n, (b+1)*size)
		q := &queries[worker]
		q.TakeRange(t.vectors, first, end)
		t.vectors.Products(out[first*stride+first:], stride, q, first/vectors.Panel, t.vectors.Panels())
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = t.each(ctx, blocks, func(_, b int) error {
		mirror(out, stride, b*size, min(n, (b+1)*size))
		return nil
	})
	return out, err
}

// mirror copies to the rows from first to end what lies left of first, from above the diagonal.
func mirror(s []float32, stride, first, end int) {
	const side = 16 // a line of cache each way
	for i0 := first; i0 < end; i0 += side {
		for j0 := 0; j0 < first; j0 += side {
			for i := i0; i < min(end, i0+side); i++ {
				to := s[i*stride+j0 : i*stride+j0+side]
				for j := range to {
					to[j] = s[(j0+j)*stride+i]
				}
			}
		}
	}
}

// gain is what a sample would add to the objective after so many picks, or no less than it would after more.
type gain struct {
	sample, picks int
	value         float64
}

// gains is a queue, the largest first, of equal ones the first sample.
type gains []gain

func (g gains) Len() int { return len(g) }
func (g gains) Less(i, j int) bool {
	return g[i].value > g[j].value || g[i].value == g[j].value && g[i].sample < g[j].sample
}
func (g gains) Swap(i, j int) { g[i], g[j] = g[j], g[i] }
func (g *gains) Push(x any)   { *g = append(*g, x.(gain)) }
func (g *gains) Pop() any {
	last := (*g)[len(*g)-1]
	*g = (*g)[:len(*g)-1]
	return last
}

// greedy takes of a queue of gains, which are those before the first pick, up to want samples. again brings a gain nearer to what it is
// after so many picks, from above, and says whether that is what it is; take adds a sample to the picks.
func (t *task) greedy(ctx context.Context, queue gains, again func(i, picks int) (float64, bool), take func(i int)) ([]Choice, error) {
	heap.Init(&queue)
	var out []Choice
	for len(out) < t.want && len(queue) > 0 {
		if top := &queue[0]; top.picks < len(out) {
			value, exact := again(top.sample, len(out))
			if top.value = value; exact {
				top.picks = len(out)
			}
			heap.Fix(&queue, 0)
			continue
		}
		top := heap.Pop(&queue).(gain)
		take(top.sample)
		out = append(out, Choice{Sample: top.sample, Score: top.value, Weight: 1})
		if t.progress(len(out), t.want, "picks"); ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return out, nil
}
