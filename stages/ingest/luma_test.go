package ingest

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"

	"gleaner/stages/pixels"
)

func noise(w, h int, seed uint64) *pixels.Image {
	r := rand.New(rand.NewPCG(seed, 1))
	m := &pixels.Image{W: w, H: h, Pix: make([]uint8, 3*w*h)}
	for i := range m.Pix {
		m.Pix[i] = uint8(r.Uint32())
	}
	return m
}

func TestLuma(t *testing.T) {
	m := &pixels.Image{W: 5, H: 1, Pix: []uint8{255, 255, 255, 0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255}}
	for i, want := range []uint8{255, 0, 76, 150, 29} {
		if got := newLuma(m, 5).pix[i]; got != want {
			t.Errorf("luma %d is %d, want %d", i, got, want)
		}
	}
	for _, c := range [][4]int{{640, 480, 512, 384}, {512, 512, 512, 512}, {100, 2000, 25, 512}, {5000, 1, 512, 1}, {3, 2, 3, 2}} {
		if p := newLuma(noise(c[0], c[1], 1), 512); p.w != c[2] || p.h != c[3] || len(p.pix) != c[2]*c[3] {
			t.Errorf("an image of %dx%d is measured on %dx%d with %d pixels, want %dx%d", c[0], c[1], p.w, p.h, len(p.pix), c[2], c[3])
		}
	}
}

// TestArea compares with rational arithmetic.
func TestArea(t *testing.T) {
	for _, s := range [][4]int{{64, 48, 31, 29}, {7, 5, 20, 33}, {100, 3, 10, 3}, {1, 1, 32, 32}, {5, 5, 1, 1}, {13, 9, 13, 9}, {160, 120, 128, 96}} {
		src := newLuma(noise(s[0], s[1], 9), 1000)
		got := area(src.w, src.h, src.row, s[2], s[3])
		overlap := func(i, from, to, n int) int64 { // of source pixel i with output pixel n, in units of 1/to
			return int64(max(0, min((i+1)*to, (n+1)*from)-max(i*to, n*from)))
		}
		for y := range got.h {
			for x := range got.w {
				var sum int64
				for j := range src.h {
					for i := range src.w {
						if share := overlap(i, src.w, got.w, x) * overlap(j, src.h, got.h, y); share > 0 {
							sum += share * int64(src.pix[j*src.w+i])
						}
					}
				}
				mean := big.NewRat(2*sum+int64(src.w*src.h), int64(2*src.w*src.h)) // plus a half
				want := new(big.Int).Quo(mean.Num(), mean.Denom()).Int64()
				if int64(got.pix[y*got.w+x]) != want {
					t.Fatalf("%v: pixel %d,%d is %d, want %d", s, x, y, got.pix[y*got.w+x], want)
				}
			}
		}
	}
}

func BenchmarkMeasure(b *testing.B) {
	for _, size := range [][2]int{{481, 321}, {640, 480}, {4032, 3024}} {
		img := noise(size[0], size[1], 1)
		b.Run(fmt.Sprintf("%dx%d", img.W, img.H), func(b *testing.B) {
			for b.Loop() {
				Measure(img)
			}
		})
	}
}
