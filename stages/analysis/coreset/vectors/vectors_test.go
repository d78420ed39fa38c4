package vectors

import (
	"math"
	"math/rand/v2"
	"testing"
)

// noise draws vectors of length 1.
func noise(rng *rand.Rand, n, dim int) (*Matrix, [][]float32) {
	m, rows := NewMatrix(n, dim), make([][]float32, n)
	for i := range rows {
		rows[i] = make([]float32, dim)
		for d := range rows[i] {
			rows[i][d] = float32(rng.NormFloat64())
		}
		if err := m.SetUnit(i, rows[i]); err != nil {
			panic(err)
		}
		m.Row(rows[i], i)
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

func TestGainsOfWhatIsLeftAreThoseOfAll(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	const n = 40 * Panel
	sim, best := make([]float32, n), make([]float32, n)
	for i := range sim {
		sim[i], best[i] = 2*rng.Float32()-1, rng.Float32()
	}
	left, places := make([]float32, n), make([]int32, n)
	count := Compress(left, places, sim, best)
	left, places = left[:count], places[:count]
	for range 5 {
		want := 0.0
		for i, s := range sim {
			want += max(0, float64(s)-float64(best[i]))
		}
		var gain float64
		gain, left, places = GainAt(left, places, best)
		if gain != Gain(sim, best) || math.Abs(gain-want) > n*unit {
			t.Fatalf("the gain is %g of what is left, %g of all, want %g", gain, Gain(sim, best), want)
		}
		for i := range best {
			best[i] += 0.2 * rng.Float32()
		}
	}
}

func TestTransposedElementsChangePlaces(t *testing.T) {
	const rows, columns, stride = 8, 12, 13
	src, dst := make([]float32, rows*stride), make([]float32, columns*rows)
	for i := range src {
		src[i] = float32(i)
	}
	Transpose(dst, rows, src, stride, rows, columns)
	for i := range rows {
		for j := range columns {
			if dst[j*rows+i] != src[i*stride+j] {
				t.Fatalf("element %d of row %d is %g, want %g", i, j, dst[j*rows+i], src[i*stride+j])
			}
		}
	}
}
