package coreset

import (
	"context"
	"sync"
	"sync/atomic"

	"gleaner/stages/analysis/coreset/vectors"
)

// rowsAtOnce is how many vectors are multiplied with others at a time, and panelsAtOnce with how many panels of these.
const (
	rowsAtOnce   = 256
	panelsAtOnce = 32
)

// each calls do for 0 to n-1, on as many threads as there are; worker tells them apart. Work is shared by chance, so do must write
// where no other i does. The first error ends it.
func (t *task) each(ctx context.Context, n int, do func(worker, i int) error) error {
	var (
		wg    sync.WaitGroup
		next  atomic.Int64
		first error
		once  sync.Once
		stop  atomic.Bool
	)
	for worker := range min(t.threads(), n) {
		wg.Go(func() {
			for !stop.Load() {
				i := int(next.Add(1) - 1)
				if i >= n {
					return
				}
				err := ctx.Err()
				if err == nil {
					err = do(worker, i)
				}
				if err != nil {
					once.Do(func() { first = err })
					stop.Store(true)
				}
			}
		})
	}
	wg.Wait()
	return first
}

// dots writes the products of one vector with all of m to dst, [m.Stride()].
func (t *task) dots(ctx context.Context, dst []float32, m *vectors.Matrix, v []float32) error {
	var q vectors.Queries
	q.Reset(1, m.Dim())
	q.Set(0, v)
	buffers := make([][]float32, t.threads())
	return t.each(ctx, (m.Panels()+panelsAtOnce-1)/panelsAtOnce, func(worker, b int) error {
		first, end := b*panelsAtOnce, min(m.Panels(), (b+1)*panelsAtOnce)
		stride := (end - first) * vectors.Panel
		if buffers[worker] == nil {
			buffers[worker] = make([]float32, vectors.Group*panelsAtOnce*vectors.Panel)
		}
		m.Products(buffers[worker], stride, &q, first, end)
		copy(dst[first*vectors.Panel:], buffers[worker][:stride])
		return nil
	})
}

// nearest writes to best, [m.Stride()], the largest product of each vector of m with any of others, no less than what is there.
// Memory: 1 MiB a thread.
func (t *task) nearest(ctx context.Context, best []float32, m, others *vectors.Matrix) error {
	queries := make([]vectors.Queries, t.threads())
	buffers := make([][]float32, t.threads())
	return t.each(ctx, (m.Panels()+panelsAtOnce-1)/panelsAtOnce, func(worker, b int) error {
		first, end := b*panelsAtOnce, min(m.Panels(), (b+1)*panelsAtOnce)
		stride := (end - first) * vectors.Panel
		if buffers[worker] == nil {
			buffers[worker] = make([]float32, rowsAtOnce*panelsAtOnce*vectors.Panel)
		}
		for from := 0; from < others.Len(); from += rowsAtOnce {
			q := &queries[worker]
			q.TakeRange(others, from, min(others.Len(), from+rowsAtOnce))
			m.Products(buffers[worker], stride, q, first, end)
			for i := range q.Len() {
				vectors.Raise(best[first*vectors.Panel:end*vectors.Panel], buffers[worker][i*stride:(i+1)*stride])
			}
		}
		return ctx.Err()
	})
}

// upTo is 0 to n-1.
func upTo(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}
