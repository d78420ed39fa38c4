package prelabel

import (
	"math"
	"math/rand/v2"
	"testing"

	"gleaner/stages/pixels"
)

func noise(w, h int, seed uint64) *pixels.Image {
	r := rand.New(rand.NewPCG(seed, 0))
	img := &pixels.Image{W: w, H: h, Pix: make([]uint8, 3*w*h)}
	for i := range img.Pix {
		img.Pix[i] = uint8(r.UintN(256))
	}
	return img
}

// bilinear is the definition, in float64: channel c of img at output pixel x,y of w by h.
func bilinear(img *pixels.Image, w, h, x, y, c int) float64 {
	place := func(i, n, size int) (int, int, float64) {
		at := min(max((float64(i)+0.5)*float64(size)/float64(n)-0.5, 0), float64(size-1))
		return int(at), min(int(at)+1, size-1), at - math.Floor(at)
	}
	x0, x1, fx := place(x, w, img.W)
	y0, y1, fy := place(y, h, img.H)
	p := func(x, y int) float64 { return float64(img.Pix[3*(y*img.W+x)+c]) }
	return (p(x0, y0)*(1-fx)+p(x1, y0)*fx)*(1-fy) + (p(x0, y1)*(1-fx)+p(x1, y1)*fx)*fy
}

// TestFill compares with the definition on noise, the hardest image, in sizes at the edges of the word-wise loops.
func TestFill(t *testing.T) {
	const side = 32
	const gain, pad = 0.5, 114
	for _, size := range [][4]int{
		{1, 1, 32, 32}, {2, 1, 32, 16}, {1, 2, 16, 32}, {3, 5, 19, 32}, {7, 7, 32, 32}, {32, 32, 32, 32}, {61, 47, 32, 24}, {500, 3, 32, 1}, {8, 333, 1, 32},
	} {
		w, h := size[2], size[3]
		img := noise(size[0], size[1], uint64(size[0]))
		dst := make([]float32, 3*side*side)
		for i := range dst {
			dst[i] = -1
		}
		fill(dst, side, side, img, w, h, gain, pad)
		for c := range 3 {
			for y := range side {
				for x := range side {
					want, within := float64(pad), 0.0
					if x < w && y < h {
						want, within = gain*bilinear(img, w, h, x, y, 2-c), gain*2 // 1/2 level of rounding, 1/512 of 255 a side of weight
					}
					if got := float64(dst[(c*side+y)*side+x]); !(math.Abs(got-want) <= within) {
						t.Fatalf("%dx%d to %dx%d: channel %d at %d,%d is %g, want %g", size[0], size[1], w, h, c, x, y, got, want)
					}
				}
			}
		}
	}
}

func BenchmarkFill(b *testing.B) {
	img, dst := noise(640, 480, 1), make([]float32, 3*416*416)
	for b.Loop() {
		fill(dst, 416, 416, img, 416, 312, 1, 114)
	}
}
