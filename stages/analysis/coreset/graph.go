package coreset

import (
	"context"
	"math"
	"sync"
	"sync/atomic"

	"gleaner/stages/analysis/coreset/vectors"
)

// graph holds the k nearest neighbors of each sample, itself left out, the nearest first.
type graph struct {
	k   int
	of  []int32   // [n,k]
	sim []float32 // [n,k] cosines
}

// neighbors finds each sample's k nearest of the others by comparing all pairs once, in tiles that fit the cache. Of equally near
// ones the first are taken. Memory: 8 bytes a neighbor, and half a MiB a thread.
func (t *task) neighbors(ctx context.Context, k int) (*graph, error) {
	n := t.vectors.Len()
	k = min(k, n-1)
	g := &graph{k: k, of: make([]int32, n*k), sim: make([]float32, n*k)}
	for i := range g.sim {
		g.sim[i], g.of[i] = float32(math.Inf(-1)), math.MaxInt32
	}
	if k < 1 {
		return g, nil
	}
	const size = rowsAtOnce
	blocks := (n + size - 1) / size
	type scratch struct {
		queries     vectors.Queries
		tile, other []float32
	}
	work := make([]scratch, t.threads())
	locks := make([]sync.Mutex, blocks)
	var done atomic.Int64
	err := t.each(ctx, blocks, func(worker, a int) error {
		w := &work[worker]
		if w.tile == nil {
			w.tile, w.other = make([]float32, size*size), make([]float32, size*size)
		}
		w.queries.TakeRange(t.vectors, a*size, min(n, (a+1)*size))
		for b := a; b < blocks; b++ {
			if err := ctx.Err(); err != nil {
				return err
			}
			t.vectors.Products(w.tile, size, &w.queries, b*size/vectors.Panel, min(t.vectors.Panels(), (b+1)*size/vectors.Panel))
			locks[a].Lock()
			g.offer(w.tile, a*size, b*size, n)
			locks[a].Unlock()
			if a == b {
				continue
			}
			vectors.Transpose(w.other, size, w.tile, size, size, size)
			locks[b].Lock()
			g.offer(w.other, b*size, a*size, n)
			locks[b].Unlock()
		}
		t.progress(int(done.Add(1)), blocks, "neighbors")
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i := range n {
		g.sort(i)
	}
	return g, nil
}

// offer shows to the samples from row on the products of a tile with those from column on. What a sample has is a heap with the
// worst neighbor on top, so the result depends on no order.
func (g *graph) offer(tile []float32, row, column, n int) {
	for i := range min(rowsAtOnce, n-row) {
		sims := tile[i*rowsAtOnce : (i+1)*rowsAtOnce]
		at := (row + i) * g.k
		for j := 0; ; j++ {
			// An equal product counts where its sample comes before.
			if j = vectors.Above(sims, math.Nextafter32(g.sim[at], float32(math.Inf(-1))), j); j >= min(rowsAtOnce, n-column) {
				break
			}
			if column+j != row+i && worse(g.sim[at], g.of[at], sims[j], int32(column+j)) {
				g.sim[at], g.of[at] = sims[j], int32(column+j)
				g.sink(at, g.k)
			}
		}
	}
}

// worse says whether the first neighbor is the less wanted.
func worse(sim float32, of int32, than float32, other int32) bool {
	return sim < than || sim == than && of > other
}

// sink moves the top of the heap of size elements that begins at a place down to where it belongs.
func (g *graph) sink(at, size int) {
	sim, of := g.sim[at:at+size], g.of[at:at+size]
	for i := 0; ; {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < size; c++ {
			if worse(sim[c], of[c], sim[least], of[least]) {
				least = c
			}
		}
		if least == i {
			return
		}
		sim[i], sim[least], of[i], of[least] = sim[least], sim[i], of[least], of[i]
		i = least
	}
}

// sort turns a sample's heap into a list, the nearest first.
func (g *graph) sort(i int) {
	at := i * g.k
	for size := g.k - 1; size > 0; size-- {
		g.sim[at], g.sim[at+size] = g.sim[at+size], g.sim[at]
		g.of[at], g.of[at+size] = g.of[at+size], g.of[at]
		g.sink(at, size)
	}
}
