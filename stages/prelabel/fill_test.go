package prelabel

import (
	"math"
	"math/rand/v2"
	"sync"
	"testing"

	"gleaner/schemas"
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

// TestFill compares with the definition on noise, the hardest image, in sizes at the edges of the word-wise loops, in places
// and with channels of every kind.
func TestFill(t *testing.T) {
	const side = 32
	var r resizer // one for all, as images of all sizes follow each other
	for name, channels := range map[string][3]channel{
		"blue first": {{2, 0.5, 0, 114}, {1, 0.5, 0, 114}, {0, 0.5, 0, 114}},
		"normalized": {{0, 0.5, -3, 7}, {1, 0.25, 2, 8}, {2, 0.125, 0, 9}},
	} {
		for _, size := range [][6]int{
			{1, 1, 32, 32}, {2, 1, 32, 16, 0, 16}, {1, 2, 16, 32, 7, 0}, {3, 5, 19, 32}, {7, 7, 32, 32}, {32, 32, 32, 32}, {61, 47, 30, 24, 1, 3}, {500, 3, 32, 1}, {8, 333, 1, 32, 31},
		} {
			at := placement{w: size[2], h: size[3], left: size[4], top: size[5]}
			img := noise(size[0], size[1], uint64(size[0]))
			dst := make([]float32, 3*side*side)
			for i := range dst {
				dst[i] = -1
			}
			r.fill(dst, side, side, img, at, channels)
			for i := range dst {
				c, x, y := channels[i/side/side], i%side-at.left, i/side%side-at.top
				want, within := float64(c.pad), 0.0
				if x >= 0 && x < at.w && y >= 0 && y < at.h {
					// 1/2 level of rounding, 1/512 of 255 a side of weight
					want, within = float64(c.gain)*bilinear(img, at.w, at.h, x, y, c.from)+float64(c.bias), float64(c.gain)*2
				}
				if got := float64(dst[i]); !(math.Abs(got-want) <= within) {
					t.Fatalf("%s: %dx%d to %+v: number %d is %g, want %g", name, size[0], size[1], at, i, got, want)
				}
			}
		}
	}
}

// TestFillByArea wants the very numbers of an image that was resized by pixels.Area before, as trainers do it.
func TestFillByArea(t *testing.T) {
	in := input{w: 19, h: 32, sizes: -1, resize: schemas.ResizeArea, channels: [3]channel{{0, 0.5, 1, 0}, {1, 0.5, 1, 0}, {2, 0.5, 1, 0}}}
	in.idle = &sync.Pool{New: func() any { return &resizer{} }}
	for _, size := range [][2]int{{19, 32}, {61, 47}, {7, 300}} {
		img := noise(size[0], size[1], 3)
		got, want := [][]float32{make([]float32, 3*in.w*in.h)}, pixels.Area(img, in.w, in.h)
		in.fill(got, img, in.place(img.W, img.H))
		for i, v := range got[0] {
			c, pixel := i/(in.w*in.h), i%(in.w*in.h)
			if level := want.Pix[3*pixel+c]; v != 0.5*float32(level)+1 {
				t.Fatalf("%v: number %d is %g, of level %d", size, i, v, level)
			}
		}
	}
}

func BenchmarkFill(b *testing.B) {
	img, dst := noise(640, 480, 1), make([]float32, 3*416*416)
	var r resizer
	for name, channels := range map[string][3]channel{
		"plain":      {{2, 1, 0, 114}, {1, 1, 0, 114}, {0, 1, 0, 114}},
		"normalized": {{0, 0.01, -2, 0}, {1, 0.02, -2, 0}, {2, 0.02, -2, 0}},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				r.fill(dst, 416, 416, img, placement{w: 416, h: 312}, channels)
			}
		})
	}
}
