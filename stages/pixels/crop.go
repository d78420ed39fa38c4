package pixels

import (
	"math"

	"gleaner/schemas/geometry"
)

// Crop copies the pixels that a box touches. The box is cut to the image; one that is empty there gives a single pixel.
func Crop(m *Image, b geometry.Box) *Image {
	b = b.Clip(m.W, m.H)
	if b.Empty() {
		return &Image{W: 1, H: 1, Pix: m.Pix[:3:3]}
	}
	x1, y1 := int(math.Floor(float64(b.X1))), int(math.Floor(float64(b.Y1)))
	x2, y2 := min(int(math.Ceil(float64(b.X2))), m.W), min(int(math.Ceil(float64(b.Y2))), m.H)
	out := newImage(x2-x1, y2-y1)
	for y := range out.H {
		copy(out.Pix[3*out.W*y:][:3*out.W], m.Pix[3*((y1+y)*m.W+x1):])
	}
	return out
}

// Mirror is an image with left and right exchanged.
func Mirror(m *Image) *Image {
	out := newImage(m.W, m.H)
	for at := 0; at < len(m.Pix); at += 3 * m.W {
		from, to := m.Pix[at:][:3*m.W], out.Pix[at:][:3*m.W]
		for x := 0; x < len(from); x += 3 {
			copy(to[len(to)-3-x:], from[x:x+3])
		}
	}
	return out
}
