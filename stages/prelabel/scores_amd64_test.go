//go:build amd64 && goexperiment.simd

package prelabel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestBestVectors: vectors find what plain Go does, of numbers with many equals and some that are none.
func TestBestVectors(t *testing.T) {
	defer func(v bool) { vectors = v }(vectors)
	rng := rand.New(rand.NewPCG(1, 2))
	for cells := range 70 {
		planes := make([]float32, cells*(1+rng.IntN(90)))
		for i := range planes {
			planes[i] = float32(rng.IntN(50)) - 25
			if rng.IntN(20) == 0 {
				planes[i] = []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))}[rng.IntN(3)]
			}
		}
		vectors = true
		class, top := bestByCell(planes, cells)
		vectors = false
		wantClass, wantTop := bestByCell(planes, cells)
		same := func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }
		if !slices.Equal(class, wantClass) || !slices.EqualFunc(top, wantTop, same) {
			t.Fatalf("%d cells of %d numbers: %v %v, want %v %v", cells, len(planes), class, top, wantClass, wantTop)
		}
	}
}

// TestAboveVectors: vectors answer what plain Go does.
func TestAboveVectors(t *testing.T) {
	defer func(v bool) { vectors = v }(vectors)
	rng := rand.New(rand.NewPCG(1, 3))
	for n := range 40 {
		for range 30 {
			p := make([]float32, n)
			for i := range p {
				p[i] = float32(rng.IntN(30))
				if rng.IntN(20) == 0 {
					p[i] = float32(math.NaN())
				}
			}
			least := []float32{25, 28, 29, float32(math.Inf(-1)), float32(math.NaN())}[rng.IntN(5)]
			vectors = true
			got := above(p, least)
			vectors = false
			if want := above(p, least); got != want {
				t.Fatalf("any of %v above %g: %t, want %t", p, least, got, want)
			}
		}
	}
}
