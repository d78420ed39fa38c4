package probe

import (
	"context"
	"math"

	"gleaner/schemas/geometry"
	"gleaner/stages/pixels"
)

const (
	grid         = 4 // cells per side
	orientations = 8
	colors       = 3
	// PixelDim is the length of PixelFeatures: per cell the mean and the spread of each channel and a histogram of
	// gradient orientations, then the box's size and aspect.
	PixelDim = grid*grid*(2*colors+orientations) + 3
)

// PixelFeatures describes the crop of a box by its colors and gradients (histograms of oriented gradients, Dalal and
// Triggs 2005, without block normalization): [PixelDim] floats. The box is cut to the image; an empty one gives zeros.
func PixelFeatures(img *pixels.Image, box geometry.Box) []float32 {
	f := make([]float32, PixelDim)
	box = box.Clip(img.W, img.H)
	x1, y1 := int(math.Floor(float64(box.X1))), int(math.Floor(float64(box.Y1)))
	x2, y2 := int(math.Ceil(float64(box.X2))), int(math.Ceil(float64(box.Y2)))
	if box.Empty() || x2 <= x1 || y2 <= y1 {
		return f
	}
	var sum, square [grid * grid][colors]float64
	var hist [grid * grid][orientations]float64
	var count [grid * grid]float64
	// A large crop is sampled on a lattice of at most 64 by 64 pixels: the cells are coarse.
	dx, dy := max(1, (x2-x1)/64), max(1, (y2-y1)/64)
	for y := y1; y < y2; y += dy {
		for x := x1; x < x2; x += dx {
			cell := (y-y1)*grid/(y2-y1)*grid + (x-x1)*grid/(x2-x1)
			count[cell]++
			at := (y*img.W + x) * colors
			for c := range colors {
				v := float64(img.Pix[at+c]) / 255
				sum[cell][c] += v
				square[cell][c] += v * v
			}
			gx := luma(img, min(x+1, img.W-1), y) - luma(img, max(x-1, 0), y)
			gy := luma(img, x, min(y+1, img.H-1)) - luma(img, x, max(y-1, 0))
			angle := math.Atan2(gy, gx)
			if angle < 0 {
				angle += math.Pi // the sign of an edge depends on the background
			}
			hist[cell][min(int(angle/math.Pi*orientations), orientations-1)] += math.Hypot(gx, gy)
		}
	}
	i := 0
	for cell := range count {
		n := max(count[cell], 1)
		for c := range colors {
			mean := sum[cell][c] / n
			f[i] = float32(mean)
			f[i+1] = float32(math.Sqrt(max(square[cell][c]/n-mean*mean, 0)))
			i += 2
		}
		for o := range orientations {
			f[i] = float32(hist[cell][o] / n)
			i++
		}
	}
	copy(f[i:], shape(img, box))
	return f
}

// shape describes a box that is not empty by its aspect and its share of the image.
func shape(img *pixels.Image, box geometry.Box) []float32 {
	return []float32{float32(math.Log(float64(box.W() / box.H()))), box.W() / float32(img.W), box.H() / float32(img.H)}
}

// Deep makes features of a model's description of the crop, and the box's shape.
func Deep(model string, embed func(ctx context.Context, crop *pixels.Image) ([]float32, error)) Features {
	return Features{Name: model, Of: func(ctx context.Context, img *pixels.Image, box geometry.Box) ([]float32, error) {
		e, err := embed(ctx, pixels.Crop(img, box))
		if err != nil {
			return nil, err
		}
		return append(e, shape(img, box.Clip(img.W, img.H))...), nil
	}}
}

// luma is the brightness of a pixel in [0,1], by the weights of ITU-R BT.601.
func luma(img *pixels.Image, x, y int) float64 {
	at := (y*img.W + x) * colors
	return (0.299*float64(img.Pix[at]) + 0.587*float64(img.Pix[at+1]) + 0.114*float64(img.Pix[at+2])) / 255
}

// standardize shifts and scales every column of x [n, dim] in place to mean 0 and deviation 1 over the rows in fit; a
// constant column becomes 0.
func standardize(x [][]float32, fit []int) {
	if len(x) == 0 || len(fit) == 0 {
		return
	}
	for d := range x[0] {
		mean, square := 0.0, 0.0
		for _, i := range fit {
			v := float64(x[i][d])
			mean += v
			square += v * v
		}
		mean /= float64(len(fit))
		scale := 0.0
		if variance := square/float64(len(fit)) - mean*mean; variance > 1e-12 {
			scale = 1 / math.Sqrt(variance)
		}
		for i := range x {
			// Held-out rows may lie far outside what the columns were fitted on.
			x[i][d] = float32(min(max((float64(x[i][d])-mean)*scale, -10), 10))
		}
	}
}
