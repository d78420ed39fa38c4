package coreset

import (
	"cmp"
	"context"
	"math"
	"slices"

	"gleaner/stages/analysis/coreset/vectors"
)

// facilityStochastic maximizes facility's objective by stochastic greedy: each pick is the best of a random (n/k) ln(1/Epsilon)
// candidates, which reaches 1-1/e-Epsilon of the best value in expectation with n ln(1/Epsilon) gains in all, however many picks
// (Mirzasoleiman et al. 2015, "Lazier Than Lazy Greedy"). A candidate whose last gain, which bounds the next, is below that of another
// one of the sample is passed over. Scores are ranks, since gains need not fall. Similarities are worked out as they are needed, at most
// n² ln(1/Epsilon) of them, and none is kept. Memory: 20 bytes a sample, the candidates' vectors, and 1 MiB a thread.
func facilityStochastic(ctx context.Context, t *task) ([]Choice, error) {
	n := len(t.ids)
	best := make([]float32, t.vectors.Stride())
	if err := t.nearest(ctx, best, t.vectors, t.covered); err != nil {
		return nil, err
	}
	rng := t.rand("stochastic greedy")
	left, bound := upTo(n), make([]float64, n)
	for i := range bound {
		bound[i] = math.Inf(1)
	}
	var places []int
	for len(places) < t.want {
		size := min(len(left), max(1, int(math.Ceil(float64(n)/float64(t.want)*math.Log(1/t.Epsilon)))))
		for i := range size { // the first of left become the sample
			j := i + rng.IntN(len(left)-i)
			left[i], left[j] = left[j], left[i]
		}
		sample := slices.Clone(left[:size])
		slices.SortFunc(sample, func(a, b int) int { return cmp.Or(cmp.Compare(bound[b], bound[a]), cmp.Compare(a, b)) })
		unknown := 0
		for unknown < size && math.IsInf(bound[sample[unknown]], 1) {
			unknown++
		}
		at := 0
		for done := 0; done < size && (done == 0 || bound[sample[done]] >= bound[sample[at]]); {
			raise := places[max(0, len(places)-1):] // the last pick, which best lacks
			if done > 0 {
				raise = nil
			}
			groups := (len(raise) + max(1, unknown-done) + vectors.Group - 1) / vectors.Group
			end := min(size, done+groups*vectors.Group-len(raise))
			values, err := t.gains(ctx, best, raise, sample[done:end])
			if err != nil {
				return nil, err
			}
			for i, v := range values {
				c := sample[done+i]
				if bound[c] = v; v > bound[sample[at]] || v == bound[sample[at]] && c < sample[at] {
					at = done + i
				}
			}
			done = end
		}
		places = append(places, sample[at])
		last := len(left) - 1
		left[slices.Index(left, sample[at])], left = left[last], left[:last]
		t.progress(len(places), t.want, "picks")
	}
	return ranked(places), nil
}

// gains raises best by the products of the samples raise, at most one of them, with all, and returns what each of the others adds to it.
// A thread does some of all vectors at a time, for all samples, so that these are read once.
func (t *task) gains(ctx context.Context, best []float32, raise, of []int) ([]float64, error) {
	parts, buffers := make([][]float64, t.threads()), make([][]float32, t.threads())
	asked := slices.Concat(raise, of)
	var queries []*vectors.Queries
	for block := range slices.Chunk(asked, rowsAtOnce) {
		q := &vectors.Queries{}
		q.Take(t.vectors, block)
		queries = append(queries, q)
	}
	err := t.each(ctx, (t.vectors.Panels()+panelsAtOnce-1)/panelsAtOnce, func(worker, b int) error {
		first, end := b*panelsAtOnce, min(t.vectors.Panels(), (b+1)*panelsAtOnce)
		stride := (end - first) * vectors.Panel
		if parts[worker] == nil {
			parts[worker] = make([]float64, len(asked))
			buffers[worker] = make([]float32, queries[0].Rows()*panelsAtOnce*vectors.Panel)
		}
		here := best[first*vectors.Panel : end*vectors.Panel]
		for block, q := range queries {
			t.vectors.Products(buffers[worker], stride, q, first, end)
			for i := range q.Len() {
				sim, at := buffers[worker][i*stride:(i+1)*stride], block*rowsAtOnce+i
				if at < len(raise) {
					vectors.Raise(here, sim)
				} else {
					parts[worker][at] += vectors.Gain(sim, here)
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return sum(parts, len(asked))[len(raise):], nil
}
