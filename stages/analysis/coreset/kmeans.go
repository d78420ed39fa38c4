package coreset

import (
	"cmp"
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"gleaner/stages/analysis/coreset/vectors"
)

const (
	kmeansBatch = 1024 // samples of a step
	kmeansSteps = 100  // at the least; otherwise as many as see every sample once
	kmeansSeeds = 16   // samples a center among which the first centers are looked for
)

// Clusters say which center of k-means each of N vectors is nearest to.
type Clusters struct {
	Of       []int32   // [N] number of the cluster, from 0
	Distance []float64 // [N] squared Euclidean, to its center: 0 to 4
}

// Cluster groups vectors of length 1 into at most k clusters, 1 or more, and numbers those that are not empty by size, the largest first,
// of equal ones the one whose first vector comes first. It blocks until done; ctx ends it early.
func Cluster(ctx context.Context, v *vectors.Matrix, k int, w Work) (*Clusters, error) {
	c, err := (&task{Work: w, vectors: v}).kmeans(ctx, k)
	if err != nil {
		return nil, err
	}
	sizes := make([]int, k)
	var seen []int32 // by their first vectors
	for _, at := range c.Of {
		if sizes[at] == 0 {
			seen = append(seen, at)
		}
		sizes[at]++
	}
	slices.SortStableFunc(seen, func(a, b int32) int { return cmp.Compare(sizes[b], sizes[a]) })
	number := make([]int32, k)
	for i, at := range seen {
		number[at] = int32(i)
	}
	for i, at := range c.Of {
		c.Of[i] = number[at]
	}
	return c, nil
}

// kmeans is mini-batch k-means (Sculley 2010, "Web-Scale K-Means Clustering") begun by k-means++ (Arthur & Vassilvitskii 2007) on some
// of the samples, and ended by one step of Lloyd's over all. Memory: 12 bytes a sample, and 8 a number of the centers.
func (t *task) kmeans(ctx context.Context, k int) (*Clusters, error) {
	n, dim := t.vectors.Len(), t.vectors.Dim()
	k = min(k, n)
	rng := t.rand("k-means")
	centers, err := t.seeds(ctx, k, rng)
	if err != nil {
		return nil, err
	}
	at, counts := make([]float64, k*dim), make([]float64, k)
	row := make([]float32, dim)
	for c := range k {
		centers.Row(row, c)
		add(at[c*dim:(c+1)*dim], row)
	}
	steps := max(kmeansSteps, (n+kmeansBatch-1)/kmeansBatch)
	batch := make([]int, min(n, kmeansBatch))
	for step := range steps {
		for i := range batch {
			batch[i] = rng.IntN(n)
		}
		of, _, err := t.assign(ctx, centers, t.vectors.Take(batch))
		if err != nil {
			return nil, err
		}
		for i, c := range of {
			counts[c]++
			t.vectors.Row(row, batch[i])
			for d, to := range at[int(c)*dim : (int(c)+1)*dim] {
				at[int(c)*dim+d] = to + (float64(row[d])-to)/counts[c]
			}
		}
		place(centers, at)
		t.progress(step+1, steps, "k-means")
	}
	of, _, err := t.assign(ctx, centers, t.vectors)
	if err != nil {
		return nil, err
	}
	clear(counts)
	sums := make([]float64, k*dim)
	for i, c := range of {
		counts[c]++
		t.vectors.Row(row, i)
		add(sums[int(c)*dim:(int(c)+1)*dim], row)
	}
	for c, count := range counts {
		for d := c * dim; count > 0 && d < (c+1)*dim; d++ { // one that nobody is nearest to stays where it is
			at[d] = sums[d] / count
		}
	}
	place(centers, at)
	of, distance, err := t.assign(ctx, centers, t.vectors)
	return &Clusters{of, distance}, err
}

// place writes centers that are kept in float64.
func place(centers *vectors.Matrix, at []float64) {
	row := make([]float32, centers.Dim())
	for c := range centers.Len() {
		for d := range row {
			row[d] = float32(at[c*len(row)+d])
		}
		centers.Set(c, row)
	}
}

// seeds draws the first centers, each with a probability in proportion to its squared distance to those before.
func (t *task) seeds(ctx context.Context, k int, rng *rand.Rand) (*vectors.Matrix, error) {
	n := t.vectors.Len()
	among := t.vectors
	if m := kmeansSeeds * k; m < n {
		among = t.vectors.Take(rng.Perm(n)[:m])
	}
	places, err := t.spread(ctx, among, nil, k, rng, func(int, int) {})
	return among.Take(places), err
}

// spread draws k places of m by k-means++, the first uniformly where nothing has distance; weight, if any, multiplies squared
// distances. Squared distances are to what was drawn before and to what is covered, the latter only where there are weights.
func (t *task) spread(ctx context.Context, m *vectors.Matrix, weight []float64, k int, rng *rand.Rand, progress func(done, total int)) ([]int, error) {
	best := make([]float32, m.Stride())
	for i := range best {
		best[i] = -1
	}
	if weight != nil {
		if err := t.nearest(ctx, best, m, t.covered); err != nil {
			return nil, err
		}
	}
	picked := make([]bool, m.Len())
	row, sim, chance := make([]float32, m.Dim()), make([]float32, m.Stride()), make([]float64, m.Len())
	var places []int
	for len(places) < k {
		total := 0.0
		for i := range chance {
			chance[i] = 0
			if !picked[i] {
				if chance[i] = max(0, 2-2*float64(best[i])); weight != nil {
					chance[i] *= weight[i]
				}
			}
			total += chance[i]
		}
		at := drawn(chance, picked, total, rng)
		picked[at] = true
		places = append(places, at)
		m.Row(row, at)
		if err := t.dots(ctx, sim, m, row); err != nil {
			return nil, err
		}
		vectors.Raise(best, sim)
		progress(len(places), k)
	}
	return places, nil
}

// drawn is a place by its chance, or any that is not picked where all chances are 0.
func drawn(chance []float64, picked []bool, total float64, rng *rand.Rand) int {
	u, last, free := rng.Float64()*total, -1, 0
	for i, c := range chance {
		if !picked[i] {
			free++
		}
		if c > 0 {
			if last = i; u < c {
				return i
			}
			u -= c
		}
	}
	if last >= 0 {
		return last // what rounding left
	}
	nth := rng.IntN(free)
	for i := range picked {
		if !picked[i] {
			if nth == 0 {
				return i
			}
			nth--
		}
	}
	panic("coreset: drawn from none")
}

// assign returns the nearest center of each vector of m, of equally near ones the first, and the squared distance to it.
func (t *task) assign(ctx context.Context, centers, m *vectors.Matrix) ([]int32, []float64, error) {
	square := make([]float64, centers.Len())
	row := make([]float32, centers.Dim())
	for c := range square {
		centers.Row(row, c)
		for _, x := range row {
			square[c] += float64(x) * float64(x)
		}
	}
	of, distance := make([]int32, m.Len()), make([]float64, m.Len())
	queries, buffers := make([]vectors.Queries, t.threads()), make([][]float32, t.threads())
	err := t.each(ctx, (m.Len()+rowsAtOnce-1)/rowsAtOnce, func(worker, b int) error {
		first, end := b*rowsAtOnce, min(m.Len(), (b+1)*rowsAtOnce)
		q, stride := &queries[worker], centers.Stride()
		q.TakeRange(m, first, end)
		if buffers[worker] == nil {
			buffers[worker] = make([]float32, rowsAtOnce*stride)
		}
		centers.Products(buffers[worker], stride, q, 0, centers.Panels())
		for i := first; i < end; i++ {
			least := math.Inf(1)
			for c, dot := range buffers[worker][(i-first)*stride:][:len(square)] {
				if d := square[c] - 2*float64(dot); d < least {
					least, of[i] = d, int32(c)
				}
			}
			distance[i] = max(0, 1+least)
		}
		return nil
	})
	return of, distance, err
}
