package coreset

import (
	"container/heap"
	"context"
	"fmt"
	"slices"

	"gleaner/stages/analysis/coreset/vectors"
)

// facility maximizes Σ max(0, cosine of a sample with the pick most like it) over all samples, by lazy greedy: gains only ever fall
// (the objective is submodular), so a gain that was worked out anew and still leads the queue is the largest. It reaches at least
// 1-1/e of the best value (Nemhauser et al. 1978; Minoux 1978, "Accelerated greedy algorithms for maximizing submodular set functions").
// Scores are gains. Memory: 4.5 bytes a pair of samples, all products being kept, and it refuses more than Work.Memory.
func facility(ctx context.Context, t *task) ([]Choice, error) {
	return t.lazy(ctx, func([]float32) {})
}

// lazy is lazy greedy on a matrix of all similarities, 0 to 2, which similarity makes of cosines in place.
func (t *task) lazy(ctx context.Context, similarity func(cosines []float32)) ([]Choice, error) {
	n, stride := len(t.ids), t.vectors.Stride()
	if need := 4 * int64(stride) * int64(stride) / sparse * (sparse + 1); need > t.memory() {
		return nil, fmt.Errorf("the similarities of %d samples take %d MiB, more than %d: pick per class, or by facility-sparse, facility-stochastic or facility-sieve",
			n, need>>20, t.memory()>>20)
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
	all, values, err := t.similarities(ctx, best, similarity)
	if err != nil {
		return nil, err
	}
	queue, rows := make(gains, n), make([]row, n)
	for i, v := range values {
		queue[i], rows[i].sim = gain{sample: i, value: v}, all[i*stride:(i+1)*stride]
	}
	left, at := make([]float32, stride), make([]int32, stride)
	return t.greedy(ctx, queue, func(i int) float64 { return rows[i].gain(best, left, at) }, func(i int) { rows[i].raise(best) })
}

// row is the similarities of a sample with all, [stride]. Those that are no larger than what a pick gives count never again, and once
// few others are left only these are kept.
type row struct {
	sim    []float32
	places []int32 // of what is left; nil: all are there
}

// sparse is the share of a row, one in so many, from which on it keeps but what is left.
const sparse = 8

// gain is what the sample adds to best, by the scratch space left and at, both [stride].
func (r *row) gain(best, left []float32, at []int32) (value float64) {
	if r.places == nil {
		n := vectors.Compress(left, at, r.sim, best)
		if n > len(r.sim)/sparse {
			return vectors.Gain(r.sim, best)
		}
		r.sim, r.places = r.sim[:copy(r.sim, left[:n])], slices.Clone(at[:n])
	}
	value, r.sim, r.places = vectors.GainAt(r.sim, r.places, best)
	return value
}

func (r *row) raise(best []float32) {
	if r.places == nil {
		vectors.Raise(best, r.sim)
		return
	}
	for i, at := range r.places {
		best[at] = max(best[at], r.sim[i])
	}
}

// similarities are those of all pairs, [stride, stride], and the gains of all samples beyond best. Products are worked out once for the
// two places that they have, in tiles that fit the cache.
func (t *task) similarities(ctx context.Context, best []float32, similarity func(cosines []float32)) ([]float32, []float64, error) {
	n, stride := t.vectors.Len(), t.vectors.Stride()
	out := make([]float32, stride*stride)
	const size = rowsAtOnce
	blocks := (n + size - 1) / size
	queries, parts := make([]vectors.Queries, t.threads()), make([][]float64, t.threads())
	err := t.each(ctx, blocks, func(worker, a int) error {
		q, rows := &queries[worker], min(n, (a+1)*size)
		q.TakeRange(t.vectors, a*size, rows)
		if parts[worker] == nil {
			parts[worker] = make([]float64, n)
		}
		add := func(first, end, b int) {
			for i := first; i < end; i++ {
				from, to := b*size, min(stride, (b+1)*size)
				parts[worker][i] += vectors.Gain(out[i*stride+from:i*stride+to], best[from:to])
			}
		}
		for b := a; b < blocks; b++ {
			if err := ctx.Err(); err != nil {
				return err
			}
			end := min(stride, (b+1)*size)
			t.vectors.Products(out[a*size*stride+b*size:], stride, q, b*size/vectors.Panel, end/vectors.Panel)
			for i := a * size; i < rows; i++ {
				similarity(out[i*stride+b*size : i*stride+min(n, end)])
			}
			add(a*size, rows, b)
			if a == b {
				continue
			}
			vectors.Transpose(out[b*size*stride+a*size:], stride, out[a*size*stride+b*size:], stride, size, end-b*size)
			add(b*size, min(n, end), a)
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return out, sum(parts, n), nil
}

// sum adds up the gains of n samples with parts of all, which threads worked out. It is exact, so who did what changes nothing.
func sum(parts [][]float64, n int) []float64 {
	out := make([]float64, n)
	for _, part := range parts {
		for i, v := range part {
			out[i] += v
		}
	}
	return out
}

// gain is what a sample would add to the objective after so many picks, and no less than it would after more.
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

// greedy takes of a queue of gains, which are those before the first pick, up to want samples. value is the gain of a sample now; take
// adds it to the picks.
func (t *task) greedy(ctx context.Context, queue gains, value func(i int) float64, take func(i int)) ([]Choice, error) {
	heap.Init(&queue)
	var out []Choice
	for len(out) < t.want && len(queue) > 0 {
		if top := &queue[0]; top.picks < len(out) {
			top.value, top.picks = value(top.sample), len(out)
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
