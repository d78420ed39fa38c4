package scenes

import (
	"cmp"
	"image/color"
	"math"
	"math/rand/v2"
	"slices"
)

// kind is what a thing is before a dataset's rules name it.
type kind int

const (
	car kind = iota
	van
	truck
	bus
	person
	worker // a person with a helmet
	stopSign
	speedSign
)

// thing is one object of a scene. Its parts own pixels of the canvas: the body under id, the mirrors under id+1.
type thing struct {
	kind       kind
	x, y, size float64 // the middle of its foot, and its height, in pixels
	color      color.RGBA
	accent     color.RGBA
	flip       bool
	pose       float64 // [0,1): phase of the legs
	id         uint16
}

// street draws the background and the things of one scene, far ones first, and returns the things.
func street(c *canvas, rng *rand.Rand, density float64) []thing {
	w, h := float64(c.w), float64(c.h)
	horizon := h * (0.32 + 0.14*rng.Float64())
	sky := color.RGBA{uint8(110 + rng.IntN(90)), uint8(150 + rng.IntN(70)), uint8(190 + rng.IntN(60)), 255}
	for y := range int(horizon) {
		c.rect(0, shade(sky, 0.45*float64(y)/horizon), 0, float64(y), w, 1)
	}
	for x := -20.0; x < w; {
		bw, bh := 40+rng.Float64()*110, horizon*(0.25+0.75*rng.Float64())
		building(c, rng, x, horizon, bw, bh)
		x += bw + rng.Float64()*30
	}
	road := color.RGBA{uint8(78 + rng.IntN(24)), uint8(80 + rng.IntN(22)), uint8(84 + rng.IntN(20)), 255}
	walk := color.RGBA{uint8(150 + rng.IntN(40)), uint8(146 + rng.IntN(36)), uint8(138 + rng.IntN(30)), 255}
	c.rect(0, walk, 0, horizon, w, h-horizon)
	vanish := w * (0.3 + 0.4*rng.Float64())
	left, right := w*(0.02+0.12*rng.Float64()), w*(0.86+0.12*rng.Float64())
	c.fill(0, false, road, point{vanish - 12, horizon}, point{vanish + 12, horizon}, point{right + 90, h}, point{left - 90, h})
	for t := 0.02; t < 1; t *= 1.5 { // the middle line
		y1, y2 := horizon+(h-horizon)*t, horizon+(h-horizon)*min(t*1.22, 1)
		mid := (left + right) / 2
		at := func(t float64) float64 { return vanish + (mid-vanish)*t }
		c.fill(0, false, color.RGBA{215, 210, 190, 255}, point{at(t) - 5*t, y1}, point{at(t) + 5*t, y1}, point{at(t*1.22) + 6*t, y2}, point{at(t*1.22) - 6*t, y2})
	}
	for i := range c.w * c.h { // grain, so that nothing is flat
		d := rng.IntN(15) - 7
		for k := range 3 {
			c.pix[i*3+k] = uint8(min(max(int(c.pix[i*3+k])+d, 0), 255))
		}
	}

	things := make([]thing, 3+rng.IntN(int(4+6*density)))
	for i := range things {
		t := 0.06 + 0.8*rng.Float64()*rng.Float64() // how near, 0 at the horizon
		y := horizon + (h-horizon)*(0.05+0.95*t)
		one := thing{
			kind: kind(rng.IntN(int(speedSign) + 1)), y: y, flip: rng.IntN(2) == 0, pose: rng.Float64(),
			color:  color.RGBA{uint8(30 + rng.IntN(210)), uint8(30 + rng.IntN(210)), uint8(30 + rng.IntN(210)), 255},
			accent: color.RGBA{uint8(20 + rng.IntN(120)), uint8(20 + rng.IntN(120)), uint8(30 + rng.IntN(140)), 255},
		}
		unit := (20 + 190*t) * h / 480 // the height of a person here
		switch one.kind {
		case person, worker:
			one.size, one.x = unit*(0.85+0.25*rng.Float64()), rng.Float64()*w
		case stopSign, speedSign:
			one.size = unit * 1.35
			one.x = left - 40 + rng.Float64()*60
			if one.flip {
				one.x = right + 40 - rng.Float64()*60
			}
		case bus, truck:
			one.size, one.x = unit*1.6, vanish+(left+(right-left)*rng.Float64()-vanish)*t
		default:
			one.size, one.x = unit*0.85, vanish+(left+(right-left)*rng.Float64()-vanish)*t
		}
		things[i] = one
	}
	slices.SortStableFunc(things, func(a, b thing) int { return cmp.Compare(a.y, b.y) })
	for i := range things {
		things[i].id = uint16(2*i + 2)
		if rng.Float64() < 0.35*density {
			clutter(c, rng, rng.Float64()*w, things[i].y-3, things[i].size*0.5)
		}
		things[i].draw(c)
	}
	return things
}

func building(c *canvas, rng *rand.Rand, x, base, w, h float64) {
	wall := color.RGBA{uint8(90 + rng.IntN(110)), uint8(80 + rng.IntN(95)), uint8(75 + rng.IntN(90)), 255}
	c.rect(0, wall, x, base-h, w, h)
	for wy := base - h + 8; wy < base-14; wy += 22 {
		for wx := x + 6; wx < x+w-12; wx += 18 {
			c.rect(0, shade(wall, -0.5+0.9*rng.Float64()*rng.Float64()), wx, wy, 10, 13)
		}
	}
}

// clutter is what nobody labels: bushes, boxes and bins that hide things behind them.
func clutter(c *canvas, rng *rand.Rand, x, y, size float64) {
	if rng.IntN(2) == 0 {
		green := color.RGBA{uint8(30 + rng.IntN(50)), uint8(80 + rng.IntN(70)), uint8(30 + rng.IntN(40)), 255}
		for range 5 {
			c.ellipse(0, shade(green, 0.3*rng.Float64()-0.15), x+size*(rng.Float64()-0.5), y-size*(0.2+0.3*rng.Float64()), size*0.3, size*0.25)
		}
		return
	}
	brown := color.RGBA{uint8(100 + rng.IntN(80)), uint8(80 + rng.IntN(50)), uint8(50 + rng.IntN(40)), 255}
	c.rect(0, brown, x, y-size*0.6, size*0.7, size*0.6)
	c.rect(0, shade(brown, -0.3), x, y-size*0.35, size*0.7, size*0.05)
}

func (t thing) draw(c *canvas) {
	switch t.kind {
	case person, worker:
		t.drawPerson(c)
	case stopSign, speedSign:
		t.drawSign(c)
	default:
		t.drawVehicle(c)
	}
}

func (t thing) drawVehicle(c *canvas) {
	length := map[kind]float64{car: 2.3, van: 1.9, truck: 2.1, bus: 2.5}[t.kind] * t.size
	x, top := t.x-length/2, t.y-t.size
	dir := 1.0
	if t.flip {
		dir = -1
	}
	along := func(f float64) float64 { return t.x + dir*(f-0.5)*length } // 0 the tail, 1 the nose
	glass, tire := color.RGBA{60, 78, 96, 255}, color.RGBA{26, 26, 28, 255}
	c.fill(0, true, color.RGBA{40, 40, 42, 255}, point{x - 3, t.y - 2}, point{x + length + 3, t.y - 2}, point{x + length, t.y + 3}, point{x, t.y + 3})
	switch t.kind {
	case car:
		c.fill(t.id, false, shade(t.color, -0.15), point{along(0.16), top + t.size*0.45}, point{along(0.28), top}, point{along(0.66), top}, point{along(0.82), top + t.size*0.45})
		c.fill(t.id, false, glass, point{along(0.22), top + t.size*0.42}, point{along(0.3), top + t.size*0.07}, point{along(0.64), top + t.size*0.07}, point{along(0.76), top + t.size*0.42})
		c.rect(t.id, t.color, x, top+t.size*0.42, length, t.size*0.42)
	case van, bus:
		c.rect(t.id, t.color, x, top, length, t.size*0.86)
		for f := 0.06; f < 0.9; f += 0.17 {
			c.rect(t.id, glass, min(along(f), along(f+0.13)), top+t.size*0.14, length*0.13, t.size*0.28)
		}
	case truck:
		c.rect(t.id, t.color, min(along(0), along(0.7)), top, length*0.7, t.size*0.82)
		c.rect(t.id, t.accent, min(along(0.72), along(1)), top+t.size*0.22, length*0.28, t.size*0.62)
		c.rect(t.id, glass, min(along(0.84), along(0.98)), top+t.size*0.3, length*0.14, t.size*0.2)
	}
	c.rect(t.id, color.RGBA{250, 240, 170, 255}, min(along(0.96), along(1)), t.y-t.size*0.42, length*0.04, t.size*0.1)
	for _, f := range []float64{0.2, 0.8} {
		c.ellipse(t.id, tire, along(f), t.y-t.size*0.15, t.size*0.17, t.size*0.16)
		c.ellipse(t.id, color.RGBA{150, 150, 155, 255}, along(f), t.y-t.size*0.15, t.size*0.07, t.size*0.07)
	}
	// The mirror stands out before the nose, so that leaving it out changes the box.
	mirror := 0.05 * length
	c.rect(t.id+1, shade(t.accent, -0.2), min(along(1), along(1)+dir*mirror), top+t.size*0.36, mirror, t.size*0.12)
}

func (t thing) drawPerson(c *canvas) {
	s := t.size
	skin := color.RGBA{130 + t.color.R/3, 90 + t.color.R/3, 70 + t.color.R/4, 255}
	swing := s * 0.13 * math.Sin(2*math.Pi*t.pose)
	for _, d := range []float64{swing, -swing} {
		c.fill(t.id, false, t.accent, point{t.x - s*0.05, t.y - s*0.48}, point{t.x + s*0.05, t.y - s*0.48}, point{t.x + d + s*0.05, t.y}, point{t.x + d - s*0.05, t.y})
		c.fill(t.id, false, shade(t.color, -0.2), point{t.x - s*0.03, t.y - s*0.8}, point{t.x + s*0.05, t.y - s*0.8}, point{t.x - d*0.9 + s*0.03, t.y - s*0.42}, point{t.x - d*0.9 - s*0.03, t.y - s*0.42})
	}
	body := t.color
	if t.kind == worker {
		body = color.RGBA{245, 130, 30, 255}
	}
	c.fill(t.id, false, body, point{t.x - s*0.12, t.y - s*0.82}, point{t.x + s*0.12, t.y - s*0.82}, point{t.x + s*0.09, t.y - s*0.44}, point{t.x - s*0.09, t.y - s*0.44})
	if t.kind == worker {
		c.rect(t.id, color.RGBA{235, 235, 170, 255}, t.x-s*0.11, t.y-s*0.66, s*0.22, s*0.05)
	}
	c.ellipse(t.id, skin, t.x, t.y-s*0.9, s*0.075, s*0.09)
	if t.kind == worker {
		yellow := color.RGBA{250, 215, 40, 255}
		c.arc(t.id, yellow, t.x, t.y-s*0.925, s*0.1, s*0.1, math.Pi, 2*math.Pi)
		c.rect(t.id, yellow, t.x-s*0.12, t.y-s*0.935, s*0.24, s*0.025)
	} else {
		c.arc(t.id, shade(t.accent, -0.4), t.x, t.y-s*0.92, s*0.08, s*0.08, math.Pi, 2*math.Pi)
	}
}

func (t thing) drawSign(c *canvas) {
	s := t.size
	r := s * 0.16
	cy := t.y - s + r
	c.rect(0, color.RGBA{130, 132, 136, 255}, t.x-s*0.015, cy, s*0.03, s-r) // the pole is no part of the sign
	red, white := color.RGBA{200, 30, 35, 255}, color.RGBA{240, 240, 238, 255}
	if t.kind == speedSign {
		c.ellipse(t.id, red, t.x, cy, r, r)
		c.ellipse(t.id, white, t.x, cy, r*0.76, r*0.76)
		c.rect(t.id, color.RGBA{25, 25, 25, 255}, t.x-r*0.45, cy-r*0.35, r*0.35, r*0.7)
		c.rect(t.id, color.RGBA{25, 25, 25, 255}, t.x+r*0.1, cy-r*0.35, r*0.35, r*0.7)
		return
	}
	var poly [8]point
	for i := range poly {
		sin, cos := math.Sincos(math.Pi/8 + float64(i)*math.Pi/4)
		poly[i] = point{t.x + r*cos, cy + r*sin}
	}
	c.fill(t.id, false, red, poly[:]...)
	c.rect(t.id, white, t.x-r*0.6, cy-r*0.16, r*1.2, r*0.32)
}
