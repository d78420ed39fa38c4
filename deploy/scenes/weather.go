package scenes

import (
	"image/color"
	"math"
	"math/rand/v2"
)

// conditions are what the light and the lens do to a scene; they are its slice values too.
type conditions struct {
	weather string // "clear", "rain", "fog", "snow"
	time    string // "day", "night"
	blur    bool
}

func drawConditions(rng *rand.Rand) conditions {
	return conditions{
		weather: []string{"clear", "clear", "clear", "rain", "fog", "snow"}[rng.IntN(6)],
		time:    []string{"day", "day", "day", "night"}[rng.IntN(4)],
		blur:    rng.IntN(8) == 0,
	}
}

// apply changes colors only: who owns a pixel stays as it is.
func (k conditions) apply(c *canvas, rng *rand.Rand) {
	if k.time == "night" {
		tint := [3]float64{0.3, 0.32, 0.42}
		lamps := make([]point, 2+rng.IntN(3))
		for i := range lamps {
			lamps[i] = point{rng.Float64() * float64(c.w), (0.3 + 0.6*rng.Float64()) * float64(c.h)}
		}
		reach := 0.25 * float64(c.w)
		for i := range c.w * c.h {
			x, y := float64(i%c.w), float64(i/c.w)
			light := 0.0
			for _, l := range lamps {
				d := math.Hypot(x-l.x, y-l.y) / reach
				light += 0.6 * math.Exp(-d*d)
			}
			for k := range 3 {
				c.pix[i*3+k] = uint8(min(float64(c.pix[i*3+k])*(tint[k]+light), 255))
			}
		}
	}
	switch k.weather {
	case "fog":
		gray := color.RGBA{200, 204, 208, 255}
		for i := range c.w * c.h {
			c.blend(i, gray, 0.6*(1-float64(i/c.w)/float64(c.h))+0.08)
		}
	case "rain":
		for range c.w * c.h / 900 {
			x, y, l := rng.IntN(c.w), rng.IntN(c.h), 6+rng.IntN(12)
			for s := range l {
				if px, py := x-s/4, y+s; px >= 0 && py < c.h {
					c.blend(py*c.w+px, color.RGBA{205, 212, 222, 255}, 0.45)
				}
			}
		}
	case "snow":
		for range c.w * c.h / 700 {
			x, y, r := rng.IntN(c.w), rng.IntN(c.h), 1+rng.IntN(2)
			for dy := -r; dy <= r; dy++ {
				for dx := -r; dx <= r; dx++ {
					if px, py := x+dx, y+dy; dx*dx+dy*dy <= r*r && px >= 0 && px < c.w && py >= 0 && py < c.h {
						c.blend(py*c.w+px, color.RGBA{248, 250, 252, 255}, 0.85)
					}
				}
			}
		}
	}
	if k.blur {
		for range 3 { // three box filters come near a Gaussian
			boxBlur(c, 2)
		}
	}
}

// boxBlur averages over (2r+1) pixels along each axis.
func boxBlur(c *canvas, r int) {
	pass := func(count, length, step, stride int) {
		line := make([]int, length)
		for n := range count {
			for k := range 3 {
				base := n*stride + k
				for i := range line {
					line[i] = int(c.pix[base+i*step])
				}
				sum := 0
				for i := -r; i <= r; i++ {
					sum += line[min(max(i, 0), length-1)]
				}
				for i := range line {
					c.pix[base+i*step] = uint8((sum + r) / (2*r + 1))
					sum += line[min(i+r+1, length-1)] - line[max(i-r, 0)]
				}
			}
		}
	}
	pass(c.h, c.w, 3, c.w*3)
	pass(c.w, c.h, c.w*3, 3)
}
