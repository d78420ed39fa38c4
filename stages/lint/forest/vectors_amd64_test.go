//go:build amd64 && goexperiment.simd

package forest

import (
	"slices"
	"testing"
)

// Any number of rows has the same scores with vectors and without, to the last bit.
func TestVectorsAgree(t *testing.T) {
	had := vectors
	defer func() { vectors = had }()
	rows, yes := rings(3000, 1)
	for _, leaves := range []int{1, 2, 8, MaxLeaves} {
		o := options()
		o.Leaves = leaves
		f := Fit(rows, yes, o)
		for n := range 20 {
			b := NewBatch(rows[:n])
			vectors = had
			with := f.Scores(b)
			vectors = false
			if without := f.Scores(b); len(with) != n || !slices.Equal(with, without) {
				t.Fatalf("%d leaves, %d rows: %v with vectors, %v without", leaves, n, with, without)
			}
		}
	}
}
