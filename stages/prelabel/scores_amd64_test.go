//go:build amd64 && goexperiment.simd

package prelabel

import (
	"math"
	"math/rand/v2"
	"simd/archsimd"
	"slices"
	"testing"

	"gleaner/schemas"
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

// TestVectorsOfRows: vectors answer what plain Go does of a row.
func TestVectorsOfRows(t *testing.T) {
	defer func(v bool) { vectors = v }(vectors)
	rng := rand.New(rand.NewPCG(1, 3))
	for n := range 150 {
		for range 30 {
			p := make([]float32, n)
			for i := range p {
				p[i] = float32(rng.IntN(30)) - 4
				if rng.IntN(20) == 0 {
					p[i] = []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.Copysign(0, -1))}[rng.IntN(4)]
				}
			}
			least := []float32{21, 24, 25, float32(math.Inf(-1)), float32(math.NaN())}[rng.IntN(5)]
			answers := func(v bool) (any bool, at int, top uint32, all []schemas.ClassScore) {
				vectors = v
				at, best := best(p)
				return above(p, least), at, math.Float32bits(best), appendBest(nil, p, least)
			}
			gotAny, gotAt, gotTop, gotAll := answers(true)
			any, at, top, all := answers(false)
			if gotAny != any || gotAt != at || gotTop != top || !slices.Equal(gotAll, all) {
				t.Fatalf("of %v, any above %g: %t, want %t; best %d, want %d; all %v, want %v", p, least, gotAny, any, gotAt, at, gotAll, all)
			}
		}
	}
}

// TestRankVectors: vectors and plain Go rank the classes of planes as rows are ranked.
func TestRankVectors(t *testing.T) {
	defer func(v bool) { vectors = v }(vectors)
	rng := rand.New(rand.NewPCG(1, 4))
	var got, plain ranks
	for cells := range 50 {
		planes, row := make([]float32, cells*(1+rng.IntN(90))), []float32(nil)
		for i := range planes {
			planes[i] = float32(rng.IntN(50)) - 25
			if rng.IntN(20) == 0 {
				planes[i] = []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))}[rng.IntN(3)]
			}
		}
		vectors = true
		got.rank(planes, cells)
		vectors = false
		plain.rank(planes, cells)
		for cell := range cells {
			row = row[:0]
			for i := cell; i < len(planes); i += cells {
				row = append(row, planes[i])
			}
			for _, least := range []float32{5, float32(math.Inf(-1)), float32(math.NaN())} {
				want := appendBest(nil, row, least)
				if by, without := got.appendBest(nil, cell, least), plain.appendBest(nil, cell, least); !slices.Equal(by, want) || !slices.Equal(without, want) {
					t.Fatalf("of %v above %g: %v and %v, want %v", row, least, by, without, want)
				}
			}
		}
	}
}

// TestExponentialVectors: vectors make the bits of math.Exp.
func TestExponentialVectors(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 5))
	for _, size := range []float64{1e-300, 1e-9, 1, 20, 800} {
		x := make([]float64, 1000+rng.IntN(4))
		for i := range x {
			x[i] = size * (2*rng.Float64() - 1)
		}
		for _, end := range []float64{0, math.Copysign(0, -1), math.NaN(), math.Inf(1), math.Inf(-1), -1e300} {
			x = append(x, end, rng.NormFloat64(), rng.NormFloat64(), rng.NormFloat64())
		}
		got := slices.Clone(x)
		exponentials(got)
		for i, v := range x {
			if want := math.Exp(v); math.Float64bits(got[i]) != math.Float64bits(want) {
				t.Fatalf("e^%v is %v, want %v", v, got[i], want)
			}
		}
	}
	x := make([]float64, 1000)
	for i := range x {
		x[i] = rng.NormFloat64()
	}
	if done := exponentialVectors(x); vectors && archsimd.X86.FMA() && done != len(x) {
		t.Errorf("vectors did %d of %d", done, len(x))
	}
}
