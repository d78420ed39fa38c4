package coreset

import (
	"context"
	"math"
	"slices"
)

// unknownClusters is how many clusters are made where neither the query nor the classes say.
const unknownClusters = 100

// closest picks the samples closest to the center of their cluster by k-means, the easy ones, which is what to keep of little data;
// farthest the others, which is what to keep of much (Sorscher et al. 2022, "Beyond neural scaling laws: beating power law scaling via
// data pruning"). Scores are squared distances, those of closest with their sign changed. Memory: 20 bytes a sample.
func closest(ctx context.Context, t *task) ([]Choice, error) {
	distance, err := t.prototypes(ctx)
	for i := range distance {
		distance[i] = -distance[i]
	}
	return t.highest(distance), err
}

func farthest(ctx context.Context, t *task) ([]Choice, error) {
	distance, err := t.prototypes(ctx)
	return t.highest(distance), err
}

func (t *task) prototypes(ctx context.Context) ([]float64, error) {
	k := t.Clusters
	if k == 0 {
		if k = t.names; k == 0 {
			k = unknownClusters
		}
	}
	c, err := t.kmeans(ctx, k)
	if err != nil {
		return nil, err
	}
	return c.Distance, nil
}

// moderate picks the samples whose distance to the center of their class is nearest the median of all such distances (Xia et al.
// 2023, "Moderate Coreset: A Universal Method of Data Selection for Real-world Data-efficient Deep Learning"). Where classes are not
// known the center is that of all. Scores are the differences from the median with their sign changed. Memory: 24 bytes a sample.
func moderate(_ context.Context, t *task) ([]Choice, error) {
	groups := [][]int{upTo(len(t.ids))}
	if t.classes != nil {
		groups = make([][]int, t.names)
		for i, c := range t.classes {
			groups[c] = append(groups[c], i)
		}
	}
	distance, row := make([]float64, len(t.ids)), make([]float32, t.vectors.Dim())
	for _, members := range groups {
		center := t.sum(members)
		for d := range center {
			center[d] /= float64(len(members))
		}
		for _, i := range members {
			t.vectors.Row(row, i)
			square := 0.0
			for d, x := range row {
				square += (float64(x) - center[d]) * (float64(x) - center[d])
			}
			distance[i] = math.Sqrt(square)
		}
	}
	sorted := slices.Sorted(slices.Values(distance))
	middle := (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
	for i, d := range distance {
		distance[i] = -math.Abs(d - middle)
	}
	return t.highest(distance), nil
}
