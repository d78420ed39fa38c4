//go:build amd64 && goexperiment.simd

package vectors

import (
	"math/rand/v2"
	"reflect"
	"testing"
)

// results are what every function makes of some vectors.
type results struct {
	products, best, transposed, left []float32
	gain                             float64
	above                            []int
	places                           []int32
}

func all(seed uint64, n, dim, queries int) results {
	rng := rand.New(rand.NewPCG(seed, 0))
	m, _ := noise(rng, n, dim)
	others, _ := noise(rng, queries, dim)
	var q Queries
	q.TakeRange(others, 0, queries)
	r := results{products: make([]float32, q.Rows()*m.Stride()), best: make([]float32, m.Stride())}
	m.Products(r.products, m.Stride(), &q, 0, m.Panels())
	for i := range queries {
		sim := r.products[i*m.Stride() : (i+1)*m.Stride()]
		r.gain += Gain(sim, r.best)
		left, places := make([]float32, m.Stride()), make([]int32, m.Stride())
		n := Compress(left, places, sim, r.best)
		r.left, r.places = append(r.left, left[:n]...), append(r.places, places[:n]...)
		Raise(r.best, sim)
		r.above = append(r.above, Above(sim, 0.1, 3))
	}
	r.transposed = make([]float32, len(r.products))
	Transpose(r.transposed, q.Rows(), r.products, m.Stride(), q.Rows(), m.Stride())
	return r
}

func FuzzVectorsGiveTheResultsOfPlainGo(f *testing.F) {
	f.Add(uint64(1), uint8(5), uint8(3), uint8(1))
	f.Add(uint64(2), uint8(200), uint8(129), uint8(9))
	f.Add(uint64(3), uint8(64), uint8(64), uint8(4))
	with, wide := avx2, avx512
	f.Cleanup(func() { avx2, avx512 = with, wide })
	f.Fuzz(func(t *testing.T, seed uint64, n, dim, queries uint8) {
		size := [3]int{int(n) + 1, int(dim) + 1, int(queries)%16 + 1}
		avx2, avx512 = false, false
		want := all(seed, size[0], size[1], size[2])
		for _, has := range [][2]bool{{with, false}, {with, wide}} {
			avx2, avx512 = has[0], has[1]
			got := all(seed, size[0], size[1], size[2])
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("%v, AVX2 %t, AVX-512 %t: other results than those of plain Go", size, has[0], has[1])
			}
		}
	})
}
