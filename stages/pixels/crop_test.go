package pixels

import (
	"testing"

	"gleaner/schemas/geometry"
)

func TestCropTakesEveryPixelTheBoxTouches(t *testing.T) {
	m := newImage(7, 5)
	for i := range m.Pix {
		m.Pix[i] = uint8(i)
	}
	for _, c := range []struct {
		box        geometry.Box
		x, y, w, h int
	}{
		{geometry.Box{X1: 0, Y1: 0, X2: 7, Y2: 5}, 0, 0, 7, 5},
		{geometry.Box{X1: 1.2, Y1: 2.9, X2: 3.1, Y2: 3.1}, 1, 2, 3, 2},
		{geometry.Box{X1: -4, Y1: 3, X2: 99, Y2: 99}, 0, 3, 7, 2},
		{geometry.Box{X1: 9, Y1: 9, X2: 12, Y2: 12}, 0, 0, 1, 1},
	} {
		got := Crop(m, c.box)
		if got.W != c.w || got.H != c.h || len(got.Pix) != 3*c.w*c.h {
			t.Fatalf("%v gives %dx%d, want %dx%d", c.box, got.W, got.H, c.w, c.h)
		}
		for y := range got.H {
			for x := range 3 * got.W {
				if want := m.Pix[3*((c.y+y)*m.W+c.x)+x]; got.Pix[3*got.W*y+x] != want {
					t.Fatalf("%v: value %d of row %d is %d, want %d", c.box, x, y, got.Pix[3*got.W*y+x], want)
				}
			}
		}
	}
}

func TestMirror(t *testing.T) {
	m := newImage(3, 2)
	for i := range m.Pix {
		m.Pix[i] = uint8(i)
	}
	got := Mirror(m)
	want := []uint8{6, 7, 8, 3, 4, 5, 0, 1, 2, 15, 16, 17, 12, 13, 14, 9, 10, 11}
	if got.W != 3 || got.H != 2 || string(got.Pix) != string(want) {
		t.Errorf("%d x %d: %v", got.W, got.H, got.Pix)
	}
}
