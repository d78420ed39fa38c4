package labeler

import (
	"math"
	"strings"
	"testing"
)

func area(mask []bool) int {
	n := 0
	for _, on := range mask {
		if on {
			n++
		}
	}
	return n
}

func TestParseYOLO(t *testing.T) {
	for _, c := range []struct {
		name, text  string
		parts, area int
	}{
		{"one part", "3 0 0 0.5 0 0.5 0.5 0 0.5", 1, 2500},
		{"closed", "3 0 0 0.5 0 0.5 0.5 0 0.5 0 0", 1, 2500},
		// a square, a bridge to a second one, and the bridge back, as writers join parts
		{"two parts", "3 0.1 0.1 0.1 0 0 0 0 0.1 0.1 0.1 0.5 0.5 0.6 0.5 0.6 0.6 0.5 0.6 0.5 0.5 0.1 0.1", 2, 200},
		{"three parts", "3 0.1 0.1 0.1 0 0 0 0 0.1 0.1 0.1 0.5 0.5 0.6 0.5 0.6 0.6 0.8 0.8 0.9 0.8 0.9 0.9 0.8 0.9 0.8 0.8 0.6 0.6 0.5 0.6 0.5 0.5", 3, 300},
	} {
		class, p, err := ParseYOLO(c.text, 100, 100)
		if err != nil || class != "3" || len(p) != c.parts {
			t.Errorf("%s: class %q, %d parts, %v, want class 3 and %d parts", c.name, class, len(p), err, c.parts)
			continue
		}
		if got := area(p.Mask(100, 100)); got != c.area {
			t.Errorf("%s: %d pixels, want %d", c.name, got, c.area)
		}
		if got := p.Vertices(); got != 4*c.parts {
			t.Errorf("%s: %d vertices, want %d", c.name, got, 4*c.parts)
		}
	}
	for _, bad := range []string{"", "1", "1 0.1 0.2", "1 0 0 1 1 0 1 1", "1 0 0 2 0 0 1", "1 0 0 NaN 0 0 1", "1 0 0 x 0 0 1", "1 0 0 0 0 0 0"} {
		if _, p, err := ParseYOLO(bad, 10, 10); err == nil {
			t.Errorf("%q: %v, want an error", bad, p)
		}
	}
}

func FuzzParseYOLO(f *testing.F) {
	f.Add("3 0 0 0.5 0 0.5 0.5 0 0.5")
	f.Add("3 0.1 0.1 0.1 0 0 0 0 0.1 0.1 0.1 0.5 0.5 0.6 0.5 0.6 0.6 0.5 0.6 0.5 0.5 0.1 0.1")
	f.Fuzz(func(t *testing.T, text string) {
		_, p, err := ParseYOLO(text, 20, 10)
		if err != nil {
			return
		}
		if n := len(strings.Fields(text)); p.Vertices() < 3 || p.Vertices() > n {
			t.Errorf("%d vertices of %d numbers", p.Vertices(), n)
		}
		p.Mask(20, 10)
	})
}

func TestSimplify(t *testing.T) {
	var circle, square [][2]float64
	for i := range 64 {
		s, c := math.Sincos(float64(i) / 64 * 2 * math.Pi)
		circle = append(circle, [2]float64{60 + 40*c, 60 + 40*s})
	}
	for i := range 40 { // ten vertices a side
		a, b := float64(i%10)*8, 80.0
		square = append(square, [][2]float64{{a, 0}, {b, a}, {b - a, b}, {0, b - a}}[i/10])
	}
	speck := [][2]float64{{100, 100}, {101, 100}, {101, 101}}
	for _, c := range []struct {
		name string
		p    Polygons
		most int
	}{
		{"circle: an octagon covers 0.9003 of it", Polygons{circle}, 9},
		{"square", Polygons{square}, 4},
		{"a speck may be left out", Polygons{square, speck}, 4},
		{"a triangle stays", Polygons{speck}, 3},
	} {
		got := c.p.Simplify(120, 120)
		if got.Vertices() > c.most {
			t.Errorf("%s: %d vertices, want at most %d", c.name, got.Vertices(), c.most)
		}
		if iou := IoU(got.Mask(120, 120), c.p.Mask(120, 120)); iou < Enough {
			t.Errorf("%s: IoU %.3f", c.name, iou)
		}
	}
}
