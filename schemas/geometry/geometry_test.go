package geometry

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestIoU(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		name string
		a, b Box
		want float64
	}{
		{"the same", Box{0, 0, 10, 10}, Box{0, 0, 10, 10}, 1},
		{"half", Box{0, 0, 10, 10}, Box{0, 0, 10, 5}, 0.5},
		{"a seventh", Box{0, 0, 2, 2}, Box{1, 1, 3, 3}, 1.0 / 7},
		{"touching", Box{0, 0, 1, 1}, Box{1, 0, 2, 1}, 0},
		{"apart", Box{0, 0, 1, 1}, Box{5, 5, 6, 6}, 0},
		{"inverted", Box{10, 10, 0, 0}, Box{0, 0, 10, 10}, 0},
		{"infinite", Box{-inf, -inf, inf, inf}, Box{-inf, -inf, inf, inf}, 0},
		{"NaN", Box{nan, 0, 10, 10}, Box{0, 0, 10, 10}, 0},
	} {
		if got := c.a.IoU(c.b); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func FuzzIoU(f *testing.F) {
	inf := float32(math.Inf(1))
	f.Add(float32(0), float32(0), float32(1), float32(1), float32(0), float32(0), float32(2), float32(2))
	f.Add(-inf, -inf, inf, inf, float32(0), float32(0), float32(2), float32(2))
	f.Add(-inf, -inf, inf, inf, -inf, -inf, inf, inf)
	f.Add(float32(math.NaN()), float32(0), float32(1), float32(1), float32(0), float32(0), float32(2), float32(2))
	f.Add(float32(0), float32(0), float32(math.MaxFloat32), float32(1e-45), float32(0), float32(0), float32(3e38), float32(1e-45))
	f.Fuzz(func(t *testing.T, ax1, ay1, ax2, ay2, bx1, by1, bx2, by2 float32) {
		a, b := Box{ax1, ay1, ax2, ay2}, Box{bx1, by1, bx2, by2}
		iou := a.IoU(b)
		if !(iou >= 0 && iou <= 1) {
			t.Errorf("%v and %v: %v is not in [0,1]", a, b, iou)
		}
		if back := b.IoU(a); back != iou {
			t.Errorf("%v and %v: %v one way and %v the other", a, b, iou, back)
		}
		if c := a.Clip(640, 480); !c.Empty() && !(c.X1 >= 0 && c.Y1 >= 0 && c.X2 <= 640 && c.Y2 <= 480) {
			t.Errorf("%v is cut to %v", a, c)
		}
	})
}

// The strings are pycocotools' own (mask.encode), for the masks described.
func TestRLEAgreesWithCOCO(t *testing.T) {
	for _, c := range []struct {
		name       string
		w, h       int
		on         func(x, y int) bool
		counts     []uint32
		compressed string
	}{
		{"empty", 3, 2, func(_, _ int) bool { return false }, []uint32{6}, "6"},
		{"full", 3, 2, func(_, _ int) bool { return true }, []uint32{0, 6}, "06"},
		{"square", 6, 5, func(x, y int) bool { return x >= 1 && x < 4 && y >= 2 && y < 4 }, []uint32{7, 2, 3, 2, 3, 2, 11}, "7230008"},
		{"long", 200, 100, func(x, _ int) bool { return x >= 100 }, []uint32{10000, 10000}, "`h9`h9"},
	} {
		mask := make([]bool, c.w*c.h)
		for i := range mask {
			mask[i] = c.on(i%c.w, i/c.w)
		}
		r := EncodeRLE(mask, c.w, c.h)
		if !slices.Equal(r.Counts, c.counts) {
			t.Errorf("%s: counts %v, want %v", c.name, r.Counts, c.counts)
		}
		if r.String() != c.compressed {
			t.Errorf("%s: compressed %q, want %q", c.name, r.String(), c.compressed)
		}
	}
}

func TestRLERoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, size := range [][2]int{{1, 1}, {1, 9}, {9, 1}, {17, 13}, {64, 48}} {
		w, h := size[0], size[1]
		for _, run := range []int{1, 3, 40} {
			mask := make([]bool, w*h)
			box, area := Box{}, 0
			for i := range mask {
				mask[i] = rng.IntN(run) == 0 != (i > 0 && mask[i-1])
				if mask[i] {
					area++
					p := Box{float32(i % w), float32(i / w), float32(i%w + 1), float32(i/w + 1)}
					if box.Empty() {
						box = p
					}
					box = Box{min(box.X1, p.X1), min(box.Y1, p.Y1), max(box.X2, p.X2), max(box.Y2, p.Y2)}
				}
			}
			r, err := ParseRLE(EncodeRLE(mask, w, h).String(), w, h)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(r.Mask(), mask) || r.Area() != area || r.Box() != box {
				t.Errorf("%dx%d: mask, area %d or box %v is not what it was: %d, %v", w, h, r.Area(), r.Box(), area, box)
			}
		}
	}
}

func FuzzParseRLE(f *testing.F) {
	f.Add("6", 3, 2)
	f.Add("7230008", 6, 5)
	f.Add("`h9`h9", 200, 100)
	f.Fuzz(func(t *testing.T, s string, w, h int) {
		if w < 0 || h < 0 || w > 1000 || h > 1000 {
			return
		}
		r, err := ParseRLE(s, w, h)
		if err != nil {
			return
		}
		mask := r.Mask()
		again, err := ParseRLE(EncodeRLE(mask, w, h).String(), w, h)
		if err != nil || !slices.Equal(again.Mask(), mask) {
			t.Errorf("%q at %dx%d does not survive: %v", s, w, h, err)
		}
	})
}
