package prelabel

import (
	"context"
	"math"
	"slices"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/pixels"
)

// fastestDet decodes FastestDet (github.com/dog-qiuqiu/FastestDet): input BGR/255, stretched to the whole input; output
// [1, 5+C, rows, cols] with the planes objectness, dx, dy, log-odds of w and of h as shares of the image, and class scores.
// The reference trains with bilinear and shows its demo with area resizing; bilinear is used here.
type fastestDet struct {
	*graph
	cols, rows int
}

// fastestDetStride is the pixels between cells.
const fastestDetStride = 16

func fastestDetFits(w, h int, out []int64) bool {
	return len(out) == 4 && out[0] == 1 && out[1] > 5 && out[2] == int64(h/fastestDetStride) && out[3] == int64(w/fastestDetStride)
}

// Detect implements Detector; a detection's score is objectness^0.6 times the best class's score^0.4.
func (d *fastestDet) Detect(ctx context.Context, img *pixels.Image, low float32) ([]schemas.Object, error) {
	var found []candidate
	err := d.run(ctx, img, func(out []float32) { found = d.decode(out, float32(img.W), float32(img.H), low) })
	if err != nil {
		return nil, err
	}
	return d.objects(found, img.W, img.H, low), nil
}

// run hands the graph's output for an image to use, which must not keep it.
func (d *fastestDet) run(ctx context.Context, img *pixels.Image, use func(out []float32)) error {
	return d.session.Run(ctx, func(in [][]float32) error {
		fill(in[0], d.w, d.h, img, d.w, d.h, 1.0/255, 0)
		return nil
	}, func(out [][]float32) error {
		use(out[0])
		return nil
	})
}

// decode reads the output for an image of imgW by imgH pixels. A cell whose objectness alone scores below low ends at the
// first comparison, since class scores are at most one.
func (d *fastestDet) decode(out []float32, imgW, imgH, low float32) []candidate {
	least := float32(math.Pow(float64(low), 1/0.6)) * 0.999 // a hair lower, for the rounding of the power
	cells := d.cols * d.rows
	class, top := bestByCell(out[5*cells:], cells)
	var found []candidate
	for i, obj := range out[:cells] {
		if !(obj >= least) {
			continue
		}
		score := float32(math.Pow(float64(obj), 0.6) * math.Pow(float64(top[i]), 0.4))
		if !(score >= low) {
			continue
		}
		cx := (float32(math.Tanh(float64(out[cells+i]))) + float32(i%d.cols)) / float32(d.cols) * imgW
		cy := (float32(math.Tanh(float64(out[2*cells+i]))) + float32(i/d.cols)) / float32(d.rows) * imgH
		w, h := sigmoid(out[3*cells+i])*imgW/2, sigmoid(out[4*cells+i])*imgH/2
		found = append(found, candidate{geometry.Box{X1: cx - w, Y1: cy - h, X2: cx + w, Y2: cy + h}, class[i], score})
	}
	return found
}

// bestByCell finds the greatest class score of every cell in planes, [C, cells], going along the memory.
func bestByCell(planes []float32, cells int) (class []int, top []float32) {
	class, top = make([]int, cells), slices.Clone(planes[:cells])
	for c := 1; c*cells < len(planes); c++ {
		for i, v := range planes[c*cells:][:cells] {
			if v > top[i] {
				class[i], top[i] = c, v
			}
		}
	}
	return class, top
}

func sigmoid(x float32) float32 { return float32(1 / (1 + math.Exp(-float64(x)))) }
