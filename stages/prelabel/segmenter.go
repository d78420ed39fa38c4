package prelabel

import (
	"math"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

// segmenter reads class numbers [1, C, h, w] or class labels [1, h, w] of the pixels of a map over the input, and finds the
// connected regions of each class: a region's box is the smallest around it, its score the mean probability of its pixels,
// 1 where there are labels alone. Under a sigmoid, whose classes are independent, a pixel of a probability below a half is of
// none. Regions of less than a thousandth of the map are passed over. Input RGB, normalized by ImageNet's mean and deviation,
// stretched.
type segmenter struct {
	output, cols, rows int
	channels           int // 0: labels
	names              int
	sx, sy             float32 // input pixels per pixel of the map
	scorer             scorer
}

func fitSegmenter(g *graph) (*match, error) {
	out, ok := g.one(4)
	if !ok {
		out, ok = g.one(3)
	}
	if !ok || out.shape[0] != 1 {
		return nil, nil
	}
	s := out.shape
	rows, cols, channels := int(s[len(s)-2]), int(s[len(s)-1]), 0
	if len(s) == 4 && (s[1] > 1 || !out.integers()) {
		channels = int(s[1])
	}
	if rows < 2 || cols < 2 || rows*g.w != cols*g.h || rows > g.h || channels == 0 && !out.integers() && g.spec.Decoder == "" {
		return nil, nil
	}
	d := &segmenter{
		output: out.index, cols: cols, rows: rows, channels: channels, names: len(g.names),
		sx: float32(g.w) / float32(cols), sy: float32(g.h) / float32(rows),
	}
	m := &match{decode: g.spec, task: schemas.TaskSegment}
	background, activation := schemas.BackgroundNone, schemas.ActivationNone
	if channels > 0 {
		m.say("%s has a plane of the input's proportions for each class", out.spec)
		background = g.background(channels, schemas.BackgroundFirst)
		if g.spec.Activation == "" {
			values, err := g.trial(imageNetInput)
			if err != nil {
				return nil, err
			}
			switch {
			case shares(values[out.index]):
			case channels == 1:
				activation = schemas.ActivationSigmoid
			default:
				activation = schemas.ActivationSoftmax
			}
		}
	} else {
		m.say("%s has a label for each pixel of the input's proportions", out.spec)
	}
	m.decode.Background = orElse(g.spec.Background, background)
	m.decode.Activation = orElse(g.spec.Activation, activation)
	d.scorer = scorer{m.decode.Activation, m.decode.Background}
	if channels > 0 {
		m.classes = d.scorer.classes(channels)
	}
	m.decoder = d
	return m, nil
}

func (d *segmenter) decode(found []candidate, outs [][]float32, low float32) ([]candidate, error) {
	out, cells := outs[d.output], d.cols*d.rows
	classes, top, err := d.classesOf(out)
	if err != nil {
		return nil, err
	}
	for _, r := range regions(classes, d.cols) {
		if 1000*len(r) < cells {
			continue
		}
		box := geometry.Box{X1: float32(d.cols), Y1: float32(d.rows)}
		sum := 0.0
		for _, i := range r {
			x, y := float32(i%d.cols), float32(i/d.cols)
			box = geometry.Box{X1: min(box.X1, x), Y1: min(box.Y1, y), X2: max(box.X2, x+1), Y2: max(box.Y2, y+1)}
			sum += d.probability(out, i, top[i])
		}
		if score := float32(sum / float64(len(r))); score >= low {
			box = geometry.Box{X1: box.X1 * d.sx, Y1: box.Y1 * d.sy, X2: box.X2 * d.sx, Y2: box.Y2 * d.sy}
			found = append(found, candidate{box, classes[r[0]], score, 0})
		}
	}
	return found, nil
}

// classesOf is the class of each pixel, -1 for the background, and the number that won.
func (d *segmenter) classesOf(out []float32) (classes []int, top []float32, err error) {
	cells := d.cols * d.rows
	if d.channels > 0 {
		classes, top = bestByCell(out, cells)
		last := -1 // the background's index
		switch d.scorer.background {
		case schemas.BackgroundFirst:
			last = 0
		case schemas.BackgroundLast:
			last = d.channels - 1
		}
		apart := d.channels == 1 || d.scorer.activation == schemas.ActivationSigmoid // each class has a background of its own
		for i, c := range classes {
			switch {
			case c == last || apart && !(d.probability(out, i, top[i]) >= 0.5):
				classes[i] = -1
			case last == 0:
				classes[i] = c - 1
			}
		}
		return classes, top, nil
	}
	classes = make([]int, cells)
	for i, v := range out[:cells] {
		class, ok := d.scorer.label(v)
		switch {
		case !ok || class >= d.names && v == ignored:
			class = -1
		case class >= d.names:
			return nil, nil, unnamed(v, d.names)
		}
		classes[i] = class
	}
	return classes, out, nil
}

// ignored is the label of pixels that belong to no class, by the custom of PASCAL VOC and Cityscapes.
const ignored = 255

// probability of the number that won in cell i.
func (d *segmenter) probability(out []float32, i int, top float32) float64 {
	if d.channels == 0 {
		return 1
	}
	if d.scorer.activation != schemas.ActivationSoftmax {
		return float64(d.scorer.probability(nil, top))
	}
	sum := 0.0
	for c := range d.channels {
		sum += math.Exp(float64(out[c*d.cols*d.rows+i] - top))
	}
	return 1 / sum
}

// regions are the cells of each part of a map that is of one class, 0 or more, and connected by edges.
func regions(classes []int, cols int) [][]int {
	var out [][]int
	seen := make([]bool, len(classes))
	for start, class := range classes {
		if class < 0 || seen[start] {
			continue
		}
		region := []int{start}
		seen[start] = true
		for next := 0; next < len(region); next++ {
			i := region[next]
			x := i % cols
			for _, n := range [4]struct {
				at int
				in bool
			}{{i - 1, x > 0}, {i + 1, x < cols-1}, {i - cols, i >= cols}, {i + cols, i+cols < len(classes)}} {
				if n.in && !seen[n.at] && classes[n.at] == class {
					seen[n.at] = true
					region = append(region, n.at)
				}
			}
		}
		out = append(out, region)
	}
	return out
}

func (d *segmenter) features(outs [][]float32) (cells, channels int, at func(cell, channel int) float32) {
	out, cells := outs[d.output], d.cols*d.rows
	if d.channels > 0 {
		return cells, d.channels, func(cell, channel int) float32 { return out[channel*cells+cell] }
	}
	return cells, d.names, func(cell, channel int) float32 {
		if class, ok := d.scorer.label(out[cell]); ok && class == channel {
			return 1
		}
		return 0
	}
}
