package prelabel

import (
	"context"
	"math"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/pixels"
)

// yolox decodes YOLOX (Ge et al. 2021) as exported without decoding in the graph: input BGR 0..255, scaled to fit the top
// left corner and padded with 114; output [1, A, 5+C] of dx, dy, log w, log h, objectness and class scores (both after
// the sigmoid) over the cells of strides 8, 16 and 32, row by row.
type yolox struct{ *graph }

// yoloxStrides are the pixels between the cells of the three grids, in the order of the output.
var yoloxStrides = [3]int{8, 16, 32}

func yoloxFits(w, h int, out []int64) bool {
	cells := 0
	for _, s := range yoloxStrides {
		cells += (w / s) * (h / s)
	}
	return w%32 == 0 && h%32 == 0 && len(out) == 3 && out[0] == 1 && out[1] == int64(cells) && out[2] > 5
}

// Detect implements Detector; a detection's score is objectness times the best class's score.
func (d *yolox) Detect(ctx context.Context, img *pixels.Image, low float32) ([]schemas.Object, error) {
	var found []candidate
	err := d.run(ctx, img, func(out []float32) { found = d.decode(out, float32(1/d.scale(img)), low) })
	if err != nil {
		return nil, err
	}
	return d.objects(found, img.W, img.H, low), nil
}

// scale is input pixels per image pixel.
func (d *yolox) scale(img *pixels.Image) float64 {
	return min(float64(d.w)/float64(img.W), float64(d.h)/float64(img.H))
}

// run hands the graph's output for an image to use, which must not keep it.
func (d *yolox) run(ctx context.Context, img *pixels.Image, use func(out []float32)) error {
	return d.session.Run(ctx, func(in [][]float32) error {
		// The reference truncates the scaled size to whole pixels but divides by the untruncated scale.
		w, h := int(float64(img.W)*d.scale(img)), int(float64(img.H)*d.scale(img))
		fill(in[0], d.w, d.h, img, max(w, 1), max(h, 1), 1, 114)
		return nil
	}, func(out [][]float32) error {
		use(out[0])
		return nil
	})
}

// decode reads the output; unscale is image pixels per input pixel. Most cells end at the first comparison, since no
// score exceeds the objectness.
func (d *yolox) decode(out []float32, unscale, low float32) []candidate {
	var found []candidate
	n := 5 + len(d.model.Classes)
	for _, stride := range yoloxStrides {
		cols, rows := d.w/stride, d.h/stride
		for i := range rows * cols {
			p := out[i*n : i*n+n]
			if !(p[4] >= low) {
				continue
			}
			class, score := best(p[5:])
			if score *= p[4]; !(score >= low) {
				continue
			}
			s := float32(stride) * unscale
			cx, cy := (p[0]+float32(i%cols))*s, (p[1]+float32(i/cols))*s
			w, h := exp(p[2])*s/2, exp(p[3])*s/2
			found = append(found, candidate{geometry.Box{X1: cx - w, Y1: cy - h, X2: cx + w, Y2: cy + h}, class, score})
		}
		out = out[rows*cols*n:]
	}
	return found
}

func exp(x float32) float32 { return float32(math.Exp(float64(x))) }
