package vectors

import (
	"math"
	"math/rand/v2"
	"testing"
)

func noise(rng *rand.Rand, n, dim int) (*Matrix, [][]float32) {
	m, rows := NewMatrix(n, dim), make([][]float32, n)
	for i := range rows {
		rows[i] = make([]float32, dim)
		for d := range rows[i] {
			rows[i][d] = float32(rng.NormFloat64())
		}
		m.Set(i, rows[i])
	}
	return m, rows
}

func TestProductsAreThoseOfTheVectors(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, size := range [][3]int{{1, 1, 1}, {16, 7, 4}, {33, 130, 9}, {100, 12, 1}} {
		n, dim, queries := size[0], size[1], size[2]
		m, rows := noise(rng, n, dim)
		others, asked := noise(rng, queries, dim)
		var q Queries
		q.TakeRange(others, 0, queries)
		stride := m.Stride() + 3
		got := make([]float32, q.Rows()*stride)
		m.Products(got, stride, &q, 0, m.Panels())
		for i := range q.Rows() {
			for j := range m.Stride() {
				want, scale := 0.0, 1e-6
				if i < queries && j < n {
					for d := range dim {
						p := float64(asked[i][d]) * float64(rows[j][d])
						want, scale = want+p, scale+math.Abs(p)*1e-5
					}
				}
				if math.Abs(float64(got[i*stride+j])-want) > scale {
					t.Fatalf("%v: product of query %d and vector %d is %g, want %g", size, i, j, got[i*stride+j], want)
				}
			}
		}
	}
}

func TestUnitVectorsHaveADirection(t *testing.T) {
	m := NewMatrix(1, 2)
	for _, bad := range [][]float32{{0, 0}, {1}, {float32(math.NaN()), 1}, {float32(math.Inf(1)), 1}} {
		if err := m.SetUnit(0, bad); err == nil {
			t.Errorf("%v was taken", bad)
		}
	}
	if err := m.SetUnit(0, []float32{3e-30, -4e-30}); err != nil {
		t.Fatal(err)
	}
	got := make([]float32, 2)
	if m.Row(got, 0); got[0] != 0.6 || got[1] != -0.8 {
		t.Errorf("got %v, want 0.6 and -0.8", got)
	}
}

func TestTakenAndJoinedVectorsAreTheSame(t *testing.T) {
	m, rows := noise(rand.New(rand.NewPCG(3, 4)), 40, 5)
	all := Join(m.Take([]int{39, 0, 17}), m.Take([]int{20}))
	got := make([]float32, 5)
	for i, from := range []int{39, 0, 17, 20} {
		all.Row(got, i)
		for d := range got {
			if got[d] != rows[from][d] {
				t.Fatalf("vector %d is %v, want %v", i, got, rows[from])
			}
		}
	}
}

func TestGainRaiseAbove(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	n := 3 * block / 2 / Panel * Panel
	sim, best := make([]float32, n), make([]float32, n)
	for i := range sim {
		sim[i], best[i] = rng.Float32(), rng.Float32()
	}
	want := 0.0
	for i := range sim {
		want += max(0, float64(sim[i])-float64(best[i]))
	}
	if got := Gain(sim, best); math.Abs(got-want) > 1e-4 {
		t.Errorf("gain %g, want %g", got, want)
	}
	for at, i := 0, 0; at < n; at++ {
		if sim[at] > 0.97 {
			if got := Above(sim, 0.97, i); got != at {
				t.Fatalf("above from %d on: %d, want %d", i, got, at)
			}
			i = at + 1
		}
	}
	Raise(best, sim)
	if got := Gain(sim, best); got != 0 {
		t.Errorf("gain of what was taken: %g", got)
	}
}
