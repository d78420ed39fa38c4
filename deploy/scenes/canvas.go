package scenes

import (
	"image"
	"image/color"
	"math"

	"golang.org/x/image/vector"
)

// point is a position in pixels, y down.
type point struct{ x, y float64 }

// canvas is a picture with, for every pixel, the object that is seen there.
type canvas struct {
	w, h int
	pix  []uint8  // [h,w,3] RGB
	id   []uint16 // [h,w], 0 for the background
}

func newCanvas(w, h int) *canvas {
	return &canvas{w: w, h: h, pix: make([]uint8, w*h*3), id: make([]uint16, w*h)}
}

func (c *canvas) blend(i int, col color.RGBA, alpha float64) {
	for k, v := range [3]uint8{col.R, col.G, col.B} {
		old := float64(c.pix[i*3+k])
		c.pix[i*3+k] = uint8(old + (float64(v)-old)*alpha + 0.5)
	}
}

// fill paints a polygon. Its pixels covered by at least half now belong to the object id; id 0 paints background, which
// still hides what is behind it. keep leaves the owner of each pixel as it was, for paint that is part of no object.
func (c *canvas) fill(id uint16, keep bool, col color.RGBA, poly ...point) {
	x1, y1, x2, y2 := c.w, c.h, 0, 0
	for _, p := range poly {
		x1, y1 = min(x1, int(math.Floor(p.x))), min(y1, int(math.Floor(p.y)))
		x2, y2 = max(x2, int(math.Ceil(p.x))), max(y2, int(math.Ceil(p.y)))
	}
	x1, y1, x2, y2 = max(x1, 0), max(y1, 0), min(x2, c.w), min(y2, c.h)
	if x1 >= x2 || y1 >= y2 {
		return
	}
	r := vector.NewRasterizer(x2-x1, y2-y1)
	for i, p := range poly {
		x, y := float32(p.x)-float32(x1), float32(p.y)-float32(y1)
		if i == 0 {
			r.MoveTo(x, y)
		} else {
			r.LineTo(x, y)
		}
	}
	r.ClosePath()
	mask := image.NewAlpha(image.Rect(0, 0, x2-x1, y2-y1))
	r.Draw(mask, mask.Bounds(), image.Opaque, image.Point{})
	for y := range y2 - y1 {
		for x := range x2 - x1 {
			a := mask.Pix[y*mask.Stride+x]
			if a == 0 {
				continue
			}
			i := (y+y1)*c.w + x + x1
			c.blend(i, col, float64(a)/255)
			if a >= 128 && !keep {
				c.id[i] = id
			}
		}
	}
}

func (c *canvas) rect(id uint16, col color.RGBA, x, y, w, h float64) {
	c.fill(id, false, col, point{x, y}, point{x + w, y}, point{x + w, y + h}, point{x, y + h})
}

func (c *canvas) ellipse(id uint16, col color.RGBA, cx, cy, rx, ry float64) {
	c.arc(id, col, cx, cy, rx, ry, 0, 2*math.Pi)
}

// arc fills the part of an ellipse between two angles, clockwise from the right; half a turn gives a dome.
func (c *canvas) arc(id uint16, col color.RGBA, cx, cy, rx, ry, from, to float64) {
	const steps = 28
	var poly [steps + 1]point
	for i := range poly {
		sin, cos := math.Sincos(from + (to-from)*float64(i)/steps)
		poly[i] = point{cx + rx*cos, cy + ry*sin}
	}
	c.fill(id, false, col, poly[:]...)
}

// shade mixes a color with black (amount < 0) or white (amount > 0).
func shade(c color.RGBA, amount float64) color.RGBA {
	mix := func(v uint8) uint8 {
		if amount < 0 {
			return uint8(float64(v) * (1 + amount))
		}
		return uint8(float64(v) + (255-float64(v))*amount)
	}
	return color.RGBA{mix(c.R), mix(c.G), mix(c.B), 255}
}
