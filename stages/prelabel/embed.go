package prelabel

import (
	"context"

	"gleaner/stages/pixels"
)

// Embed describes a whole image, such as the crop of a box, by what the model makes of it: for the objectness and each
// class score the mean and the maximum over all cells, [2*(1+C)] numbers.
func (d *yolox) Embed(ctx context.Context, img *pixels.Image) ([]float32, error) {
	var e []float32
	err := d.run(ctx, img, func(out []float32) {
		n := 5 + len(d.model.Classes)
		e = pool(len(out)/n, n-4, func(cell, channel int) float32 { return out[cell*n+4+channel] })
	})
	return e, err
}

// Embed is that of yolox.
func (d *fastestDet) Embed(ctx context.Context, img *pixels.Image) ([]float32, error) {
	var e []float32
	err := d.run(ctx, img, func(out []float32) {
		cells := d.cols * d.rows
		e = pool(cells, 1+len(d.model.Classes), func(cell, channel int) float32 {
			if channel > 0 {
				channel += 4 // past the planes of the box
			}
			return out[channel*cells+cell]
		})
	})
	return e, err
}

func pool(cells, channels int, at func(cell, channel int) float32) []float32 {
	e := make([]float32, 2*channels)
	for c := range channels {
		mean, top := float32(0), at(0, c)
		for i := range cells {
			v := at(i, c)
			mean += v
			top = max(top, v)
		}
		e[2*c], e[2*c+1] = mean/float32(cells), top
	}
	return e
}
