package prelabel

import "gleaner/schemas"

// yolox decodes YOLOX (Ge et al. 2021) as exported without decoding in the graph: input BGR 0..255, scaled to fit the top
// left corner and padded with 114; output [1, A, 5+C] of dx, dy, log w, log h, objectness and class scores (both after
// the sigmoid) over the cells of each stride, row by row.
type yolox struct {
	output, row int // index and numbers of a row
	grids       []grid
}

func fitYOLOX(g *graph) (*match, error) {
	out, ok := g.one(3)
	if !ok || out.shape[0] != 1 || out.shape[2] <= 5 {
		return nil, nil
	}
	grids := g.grids([]int{8, 16, 32})
	if cellsOf(grids) != int(out.shape[1]) {
		return nil, nil
	}
	m := &match{decoder: &yolox{out.index, int(out.shape[2]), grids}, classes: int(out.shape[2]) - 5, decode: g.spec}
	m.decode.Strides = stridesOf(grids)
	m.say("%s has a row for each cell of strides %v", out.spec, m.decode.Strides)
	if g.spec.Decoder == "" {
		raw, done, err := g.centers(out.index, int(out.shape[2]), grids)
		if err != nil || done < raw {
			return nil, err
		}
		m.say("on a trial run centers lie %.1f cells from their own if read as offsets and %.1f if read as pixels", raw, done)
	}
	return m, nil
}

// decode: a detection's score is objectness times the best class's score. Most cells end at the first comparison, since no
// score exceeds the objectness.
func (d *yolox) decode(found []candidate, outs [][]float32, low float32) ([]candidate, error) {
	out, n := outs[d.output], d.row
	first := 0
	for _, g := range d.grids {
		s := float32(g.stride)
		for i := range g.rows * g.cols {
			p := out[i*n : i*n+n]
			if !(p[4] >= low) {
				continue
			}
			class, score := best(p[5:])
			if score *= p[4]; !(score >= low) {
				continue
			}
			box := centered((p[0]+float32(i%g.cols))*s, (p[1]+float32(i/g.cols))*s, exp(p[2])*s, exp(p[3])*s)
			found = append(found, candidate{box, class, score, first + i})
		}
		out = out[g.rows*g.cols*n:]
		first += g.rows * g.cols
	}
	return found, nil
}

func (d *yolox) classes(outs [][]float32, cell int) []float32 {
	return outs[d.output][cell*d.row:][5:d.row]
}

func (d *yolox) score(outs [][]float32, cell int, v float32) float32 {
	return outs[d.output][cell*d.row+4] * v
}

func (d *yolox) least(outs [][]float32, cell int, low float32) float32 {
	return low / outs[d.output][cell*d.row+4]
}

func (d *yolox) features(out [][]float32) (cells, channels int, at func(cell, channel int) float32) {
	return rowFeatures(out[d.output], d.row, 4)
}

// rowFeatures are the numbers of rows of n from the first one on.
func rowFeatures(out []float32, n, first int) (cells, channels int, at func(cell, channel int) float32) {
	return len(out) / n, n - first, func(cell, channel int) float32 { return out[cell*n+first+channel] }
}

var yoloxInput = schemas.DecodeInput{Resize: schemas.ResizeLetterbox, Channels: schemas.ChannelsBGR, Mean: zeros, Std: ones, Pad: level(114)}
