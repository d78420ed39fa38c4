package pixels_test

import (
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"testing"

	"gleaner/stages/pixels"
)

func noise(w, h int, seed uint64) *pixels.Image {
	r := rand.New(rand.NewPCG(seed, 1))
	m := &pixels.Image{W: w, H: h, Pix: make([]uint8, 3*w*h)}
	for i := range m.Pix {
		m.Pix[i] = uint8(r.Uint32())
	}
	return m
}

// rgba shows an Image to the standard library's encoders.
type rgba struct{ *pixels.Image }

func (m rgba) ColorModel() color.Model { return color.RGBAModel }
func (m rgba) Bounds() image.Rectangle { return image.Rect(0, 0, m.W, m.H) }
func (m rgba) At(x, y int) color.Color {
	p := at(m.Image, x, y)
	return color.RGBA{p[0], p[1], p[2], 255}
}

var sizes = [][4]int{{64, 48, 31, 29}, {7, 5, 20, 33}, {100, 3, 10, 3}, {1, 1, 4, 4}, {5, 5, 1, 1}, {13, 9, 13, 9}, {640, 480, 416, 312}}

// TestArea compares with the integral of the source over each output pixel.
func TestArea(t *testing.T) {
	for _, s := range sizes {
		src := noise(s[0], s[1], 9)
		got := pixels.Area(src, s[2], s[3])
		var worst float64
		sx, sy := float64(src.W)/float64(got.W), float64(src.H)/float64(got.H)
		for y := range got.H {
			for x := range got.W {
				var sum [3]float64
				for j := int(float64(y) * sy); j < src.H && float64(j) < float64(y+1)*sy; j++ {
					for i := int(float64(x) * sx); i < src.W && float64(i) < float64(x+1)*sx; i++ {
						share := max(0, min(float64(i+1), float64(x+1)*sx)-max(float64(i), float64(x)*sx)) *
							max(0, min(float64(j+1), float64(y+1)*sy)-max(float64(j), float64(y)*sy))
						for c := range sum {
							sum[c] += share * float64(src.Pix[3*(j*src.W+i)+c])
						}
					}
				}
				for c := range sum {
					worst = max(worst, math.Abs(sum[c]/(sx*sy)-float64(got.Pix[3*(y*got.W+x)+c])))
				}
			}
		}
		if worst > 0.51 {
			t.Errorf("%v: off by %.3f from exact arithmetic", s, worst)
		}
	}
}

func BenchmarkResize(b *testing.B) {
	src := noise(640, 480, 1)
	b.Run("area-320x240", func(b *testing.B) {
		for b.Loop() {
			pixels.Area(src, 320, 240)
		}
	})
}
