package prelabel

import (
	"math"
	"slices"

	"gleaner/schemas"
)

// fastestDet decodes FastestDet (github.com/dog-qiuqiu/FastestDet): input BGR/255, stretched to the whole input; output
// [1, 5+C, rows, cols] with the planes objectness, dx, dy, log-odds of w and of h as shares of the image, and class scores.
// The reference trains with bilinear and shows its demo with area resizing; bilinear is used here.
type fastestDet struct {
	output int
	grid   grid
	w, h   float32 // of the input
}

var fastestDetInput = schemas.DecodeInput{Resize: schemas.ResizeStretch, Channels: schemas.ChannelsBGR, Mean: zeros, Std: levels}

func fitFastestDet(g *graph) (*match, error) {
	out, ok := g.one(4)
	if !ok || out.shape[0] != 1 || out.shape[1] <= 5 {
		return nil, nil
	}
	grids := g.grids([]int{16})
	if len(grids) != 1 || int(out.shape[2]) != grids[0].rows || int(out.shape[3]) != grids[0].cols {
		return nil, nil
	}
	m := &match{decoder: &fastestDet{out.index, grids[0], float32(g.w), float32(g.h)}, classes: int(out.shape[1]) - 5, decode: g.spec}
	m.decode.Strides = stridesOf(grids)
	m.say("%s has planes of cells of stride %d", out.spec, grids[0].stride)
	return m, nil
}

// decode: a detection's score is objectness^0.6 times the best class's score^0.4. Its fifth power is a product, which is compared
// first.
func (d *fastestDet) decode(found []candidate, outs [][]float32, low float32) ([]candidate, error) {
	least := math.Pow(float64(low), 5) * 0.999 // a hair lower, for the rounding of the power
	numbers, cells := d.classPlanes(outs)
	out := outs[d.output]
	class, top := bestByCell(numbers, cells)
	first := len(found)
	for i, obj := range out[:cells] {
		if obj >= 0 && top[i] >= 0 && fifth(obj, top[i]) >= least {
			found = append(found, candidate{class: class[i], cell: i})
		}
	}
	kept := found[:first]
	var e [3 * 64]float64 // exponentials, many at once, of a score's logarithm and of what the sides are the sigmoids of
	for some := range slices.Chunk(found[first:], len(e)/3) {
		for j, c := range some {
			e[3*j], e[3*j+1], e[3*j+2] = logFused(out[c.cell], top[c.cell]), -float64(out[3*cells+c.cell]), -float64(out[4*cells+c.cell])
		}
		exponentials(e[:3*len(some)])
		for j, c := range some {
			if c.score = float32(e[3*j]); !(c.score >= low) {
				continue
			}
			i := c.cell
			cx := (float32(math.Tanh(float64(out[cells+i]))) + float32(i%d.grid.cols)) / float32(d.grid.cols) * d.w
			cy := (float32(math.Tanh(float64(out[2*cells+i]))) + float32(i/d.grid.cols)) / float32(d.grid.rows) * d.h
			c.box = centered(cx, cy, float32(1/(1+e[3*j+1]))*d.w, float32(1/(1+e[3*j+2]))*d.h)
			kept = append(kept, c)
		}
	}
	return kept, nil
}

func (d *fastestDet) classPlanes(outs [][]float32) (numbers []float32, cells int) {
	cells = d.grid.cols * d.grid.rows
	return outs[d.output][5*cells:], cells
}

func (d *fastestDet) score(outs [][]float32, cell int, v float32) float32 {
	return fused(outs[d.output][cell], v)
}

func (d *fastestDet) least(outs [][]float32, cell int, low float32) float32 {
	o, f := float64(outs[d.output][cell]), float64(low)
	return float32(math.Sqrt(f * f * f * f * f / (o * o * o)))
}

func fused(objectness, class float32) float32 {
	return float32(math.Exp(logFused(objectness, class)))
}

// logFused is the logarithm of a score, of which the exponential is made faster than by math.Pow.
func logFused(objectness, class float32) float64 {
	return 0.2 * math.Log(fifth(objectness, class))
}

func fifth(objectness, class float32) float64 {
	o, c := float64(objectness), float64(class)
	return o * o * o * c * c
}

func (d *fastestDet) features(outs [][]float32) (cells, channels int, at func(cell, channel int) float32) {
	out, cells := outs[d.output], d.grid.cols*d.grid.rows
	return cells, len(out)/cells - 4, func(cell, channel int) float32 {
		if channel > 0 {
			channel += 4 // past the planes of the box
		}
		return out[channel*cells+cell]
	}
}
