//go:build amd64 && goexperiment.simd

package rows

import (
	"math/rand/v2"
	"reflect"
	"testing"
)

// results are what every function makes of a row of pixels.
type results struct {
	Luma, RGB, Mixed, Doubled []uint8
	Sum                       []uint32
	LaplacianSum, Squares     int
	Difference                int
	Levels                    Levels
	Planes                    [3][]float32
	Averages                  []uint8
}

// all runs every function; pix is [n,3].
func all(pix []uint8, weight uint32, outputs int) (r results) {
	n := len(pix) / 3
	a, b, c := pix[:n], pix[n:2*n], pix[2*n:3*n]
	second := uint16(weight % (One + 1))
	r.Luma, r.RGB, r.Mixed, r.Doubled = make([]uint8, n), make([]uint8, 3*n), make([]uint8, n), make([]uint8, 2*n)
	Luma(r.Luma, pix)
	RGB(r.RGB, a, b, c)
	Mix(r.Mixed, a, b, second)
	Double(r.Doubled, a, b, make([]uint16, n))
	r.LaplacianSum, r.Squares = Laplacian(a, b, c)
	r.Difference = Difference(a, pix)
	r.Levels.Add(a, 16, 250)
	r.Levels.Add(b, a[0], c[0])

	for i := range r.Planes {
		r.Planes[i] = make([]float32, outputs)
	}
	columns := NewColumns(outputs, func(i int) (int, uint16) { return i * n / outputs, uint16(pix[i%n]) + second%2 })
	columns.Blend(r.Planes[0], r.Planes[1], r.Planes[2], append(pix[:3*n:3*n], make([]uint8, Slack)...), [3]float32{1.0 / 255, 0.017, 1}, [3]float32{0, -2.1, 3})

	height := int(weight%2000) + 2
	r.Sum = make([]uint32, n+1)
	AddWeighted(r.Sum, a, b, uint32(height-1), 1)
	r.Averages = make([]uint8, outputs)
	NewSpans(n, outputs, height).Average(r.Averages, r.Sum)
	return r
}

// same requires the results of plain Go, bit for bit.
func same(t *testing.T, pix []uint8, weight uint32, outputs int) {
	t.Helper()
	defer func(v bool) { vectors = v }(vectors)
	got := all(pix, weight, outputs)
	vectors = false
	if want := all(pix, weight, outputs); !reflect.DeepEqual(got, want) {
		t.Fatalf("%d pixels, weight %d, %d outputs: got\n%+v\nwant\n%+v", len(pix)/3, weight, outputs, got, want)
	}
}

func noise(n int, seed uint64) []uint8 {
	r := rand.New(rand.NewPCG(seed, 1))
	pix := make([]uint8, 3*n)
	for i := range pix {
		pix[i] = uint8(r.Uint32())
	}
	return pix
}

func TestVectorsAgree(t *testing.T) {
	for n := 1; n < 140; n++ {
		for _, outputs := range []int{1, 8, 32, n, (n + 1) / 2, (4*n + 4) / 5, 3 * n} {
			same(t, noise(n, uint64(n)), uint32(n)*31, outputs)
		}
	}
	for _, c := range [][2]int{{640, 512}, {1024, 512}, {4032, 512}, {20_000, 512}, {140_000, 1000}} {
		same(t, noise(c[0], 1), 479, c[1])
		for _, v := range []uint8{0, 255} {
			flat := make([]uint8, 3*c[0])
			for i := range flat {
				flat[i] = v
			}
			same(t, flat, 479, c[1])
		}
	}
}

// TestLaplacianOfExtremes has the greatest squares that there are, in the widest row that a photo may have.
func TestLaplacianOfExtremes(t *testing.T) {
	const n = 20_000
	pix := make([]uint8, 3*n)
	for i := range pix {
		if (i%n+i/n)%2 == 1 {
			pix[i] = 255
		}
	}
	same(t, pix, 1, 512)
	_, squares := Laplacian(pix[:n], pix[n:2*n], pix[2*n:])
	if want := (n - 2) * 1020 * 1020; squares != want {
		t.Errorf("squares add up to %d, want %d", squares, want)
	}
}

// TestConversionsAgree goes through all that one pixel can be.
func TestConversionsAgree(t *testing.T) {
	had := vectors
	defer func() { vectors = had }()
	a, b, c := make([]uint8, 1<<16), make([]uint8, 1<<16), make([]uint8, 1<<16)
	rgb := make([]uint8, 3<<16)
	for i := range a {
		a[i], b[i] = uint8(i), uint8(i>>8)
		rgb[3*i], rgb[3*i+1] = a[i], b[i]
	}
	got, want := make([]uint8, 3<<16), make([]uint8, 3<<16)
	for third := range 256 {
		for i := range c {
			c[i], rgb[3*i+2] = uint8(third), uint8(third)
		}
		for name, f := range map[string]func(dst []uint8){
			"RGB": func(dst []uint8) { RGB(dst, a, b, c) }, "Luma": func(dst []uint8) { Luma(dst[:1<<16], rgb) },
		} {
			vectors = had
			f(got)
			vectors = false
			f(want)
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("%s differs where the third channel is %d", name, third)
			}
		}
	}
}

func FuzzVectorsAgree(f *testing.F) {
	f.Add(noise(33, 1), uint32(7), uint16(26))
	f.Add(noise(100, 2), uint32(1999), uint16(80))
	f.Fuzz(func(t *testing.T, pix []uint8, weight uint32, outputs uint16) {
		if n := len(pix) / 3; n > 0 {
			same(t, pix[:3*n], weight, int(outputs%1000)+1)
		}
	})
}
