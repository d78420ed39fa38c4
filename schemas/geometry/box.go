// Package geometry holds boxes and what is measured on them. Coordinates are pixels of the upright image, x to the right,
// y down, the origin at the top left corner of the top left pixel.
package geometry

import "math"

// Box is an axis-aligned box: X1,Y1 inclusive and X2,Y2 exclusive, in pixels, so width is X2-X1.
type Box struct {
	X1 float32 `json:"x1"`
	Y1 float32 `json:"y1"`
	X2 float32 `json:"x2"`
	Y2 float32 `json:"y2"`
}

// W is the width in pixels, negative for an inverted box.
func (b Box) W() float32 { return b.X2 - b.X1 }

// H is the height in pixels, negative for an inverted box.
func (b Box) H() float32 { return b.Y2 - b.Y1 }

// Empty reports whether the box covers no area. NaN coordinates make a box empty.
func (b Box) Empty() bool { return !(b.X2 > b.X1 && b.Y2 > b.Y1) }

// Area is the covered area in square pixels, 0 for an empty box.
func (b Box) Area() float64 {
	if b.Empty() {
		return 0
	}
	return (float64(b.X2) - float64(b.X1)) * (float64(b.Y2) - float64(b.Y1))
}

// Intersect is the common part of two boxes; it is empty when they do not meet.
func (b Box) Intersect(o Box) Box {
	return Box{max(b.X1, o.X1), max(b.Y1, o.Y1), min(b.X2, o.X2), min(b.Y2, o.Y2)}
}

// IoU is intersection over union, [0,1]; 0 when either box is empty or infinite.
func (b Box) IoU(o Box) float64 {
	if !(b.X1 < o.X2 && o.X1 < b.X2 && b.Y1 < o.Y2 && o.Y1 < b.Y2) {
		return 0 // as of most pairs
	}
	inter := b.Intersect(o).Area()
	union := b.Area() + o.Area() - inter
	if !(inter > 0 && union <= math.MaxFloat64) {
		return 0
	}
	return min(inter/union, 1)
}

// Clip cuts the box to an image of w by h pixels.
func (b Box) Clip(w, h int) Box {
	return b.Intersect(Box{0, 0, float32(w), float32(h)})
}
