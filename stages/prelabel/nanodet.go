package prelabel

import (
	"math"
	"slices"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

// nanoDet decodes NanoDet and NanoDet-Plus (github.com/RangiLyu/nanodet), which say of each side of a box how far it is from
// the cell's center by a distribution over whole strides (generalized focal loss, Li et al. 2020): input BGR, normalized by
// ImageNet's mean and deviation, scaled to fit the middle and padded with black; outputs for each stride class scores
// [A, C], after the sigmoid, and logits [A, 4*B], or both in the rows of one output [1, N, C+4*B].
type nanoDet struct {
	levels      []nanoLevel
	named, bins int
	center      float32 // of a cell, in cells: NanoDet-Plus, known by its fourth stride, moved it to the corner
	scorer      scorer
}

type nanoLevel struct {
	grid
	scores, sides view
}

// nanoSides are the numbers by which the published models tell the sides of a box: four times 8 or 17 bins.
var nanoSides = []int{4 * 8, 4 * 17}

var nanoDetInput = schemas.DecodeInput{
	Resize: schemas.ResizeLetterboxCenter, Channels: schemas.ChannelsBGR, Pad: level(0),
	Mean: []float32{103.53, 116.28, 123.675}, Std: []float32{57.375, 57.12, 58.395},
}

func fitNanoDet(g *graph) (*match, error) {
	for _, strides := range [][]int{{8, 16, 32}, {8, 16, 32, 64}} {
		grids := g.grids(strides)
		d := &nanoDet{center: 0.5}
		if len(grids) > 3 {
			d.center = 0
		}
		if !d.together(g, grids) && !d.apart(g, grids) {
			continue
		}
		m := &match{decoder: d, classes: d.named, decode: g.spec}
		m.say("there are %d class scores and distributions over %d distances for each cell of strides %v", d.named, d.bins, stridesOf(grids))
		m.decode.Strides = stridesOf(grids)
		m.decode.Background = schemas.BackgroundNone
		if g.spec.Activation == "" {
			out, err := g.trial(nanoDetInput)
			if err != nil {
				return nil, err
			}
			m.decode.Activation = schemas.ActivationNone
			for _, l := range d.levels {
				for i := range l.rows * l.cols {
					if !shares(l.scores.at(out, i, d.named)) {
						m.decode.Activation = schemas.ActivationSigmoid
					}
				}
			}
			m.say("the scores want activation %s", m.decode.Activation)
		}
		d.scorer = scorer{m.decode.Activation, m.decode.Background}
		return m, nil
	}
	return nil, nil
}

// together takes one output whose rows hold scores, as many as there are names, and distributions.
func (d *nanoDet) together(g *graph, grids []grid) bool {
	out, ok := g.one(3)
	if !ok || len(g.outputs) != 1 || out.shape[0] != 1 || int(out.shape[1]) != cellsOf(grids) {
		return false
	}
	row, c := int(out.shape[2]), len(g.names)
	d.named, d.bins = c, (row-c)/4
	if c == 0 || d.bins < 2 || row != c+4*d.bins || g.spec.Decoder == "" && !slices.Contains(nanoSides, 4*d.bins) {
		return false
	}
	first := 0
	for _, l := range grids {
		d.levels = append(d.levels, nanoLevel{l, view{out.index, first, row}, view{out.index, first + c, row}})
		first += l.rows * l.cols * row
	}
	return true
}

// apart takes two outputs for each stride. Which of the two holds scores is told by the number of names, and where that is wrong by
// the bins of the published models, so that the error says what is wrong.
func (d *nanoDet) apart(g *graph, grids []grid) bool {
	if len(g.outputs) != 2*len(grids) {
		return false
	}
	columns := func(o output) int { _, n, _ := o.matrix(); return n }
	c := len(g.names)
	if !slices.ContainsFunc(g.outputs, func(o output) bool { return columns(o) == c }) {
		at := slices.IndexFunc(g.outputs, func(o output) bool { return columns(o) > 0 && !slices.Contains(nanoSides, columns(o)) })
		if at < 0 {
			return false
		}
		c = columns(g.outputs[at])
	}
	for _, l := range grids {
		var scores, sides []output
		for _, out := range g.outputs {
			rows, row, ok := out.matrix()
			switch {
			case !ok || rows != l.rows*l.cols:
			case row == c && len(scores) == 0:
				scores = append(scores, out)
			default:
				sides = append(sides, out)
			}
		}
		if len(scores) != 1 || len(sides) != 1 {
			return false
		}
		_, row, _ := sides[0].matrix()
		if c != len(g.names) && !slices.Contains(nanoSides, row) || row%4 != 0 || row < 8 || d.bins != 0 && d.bins != row/4 {
			return false
		}
		d.named, d.bins = c, row/4
		d.levels = append(d.levels, nanoLevel{l, view{scores[0].index, 0, c}, view{sides[0].index, 0, row}})
	}
	return true
}

// decode: a detection's score is the best class's.
func (d *nanoDet) decode(found []candidate, outs [][]float32, low float32) ([]candidate, error) {
	spread := make([]float64, 4*d.bins)
	first, least := 0, float32(math.Inf(-1))
	if d.scorer.activation != schemas.ActivationSoftmax { // of which a row's numbers have a bound of their own
		least = hairBelow(d.scorer.number(nil, low))
	}
	for _, l := range d.levels {
		for i := range l.rows * l.cols {
			row := l.scores.at(outs, i, d.named)
			if !above(row, least) {
				continue
			}
			class, score := d.scorer.best(row)
			if !(score >= low) {
				continue
			}
			s := float32(l.stride)
			cx, cy := (float32(i%l.cols)+d.center)*s, (float32(i/l.cols)+d.center)*s
			sums := d.spread(spread, l.sides.at(outs, i, 4*d.bins))
			var far [4]float32
			for side := range far {
				moment := 0.0
				for b, v := range spread[side*d.bins:][:d.bins] {
					moment += v * float64(b)
				}
				far[side] = float32(moment/sums[side]) * s
			}
			found = append(found, candidate{geometry.Box{X1: cx - far[0], Y1: cy - far[1], X2: cx + far[2], Y2: cy + far[3]}, class, score, first + i})
		}
		first += l.rows * l.cols
	}
	return found, nil
}

// locate finds a cell's level, and its place there.
func (d *nanoDet) locate(cell int) (l nanoLevel, i int) {
	for _, l = range d.levels {
		if n := l.rows * l.cols; cell >= n {
			cell -= n
			continue
		}
		break
	}
	return l, cell
}

func (d *nanoDet) classes(outs [][]float32, cell int) []float32 {
	l, i := d.locate(cell)
	return l.scores.at(outs, i, d.named)
}

func (d *nanoDet) score(outs [][]float32, cell int, v float32) float32 {
	return d.scorer.probability(d.classes(outs, cell), v)
}

func (d *nanoDet) least(outs [][]float32, cell int, low float32) float32 {
	return d.scorer.number(d.classes(outs, cell), low)
}

func (d *nanoDet) distances() int { return d.bins }

func (d *nanoDet) sides(outs [][]float32, cell int, p []byte, space []float64) schemas.Sides {
	l, i := d.locate(cell)
	s := float32(l.stride)
	out := schemas.Sides{X: (float32(i%l.cols) + d.center) * s, Y: (float32(i/l.cols) + d.center) * s, StepX: s, StepY: s, P: p}
	for side, sum := range d.spread(space, l.sides.at(outs, i, 4*d.bins)) {
		scale := 255 / sum
		for b, v := range space[side*d.bins:][:d.bins] {
			p[side*d.bins+b] = byte(scale*v + 0.5)
		}
	}
	return out
}

// spread makes of the logits of each side's bins, [4, bins], numbers in proportion to the probabilities, and their sums by side.
func (d *nanoDet) spread(p []float64, logits []float32) (sums [4]float64) {
	for side := range sums {
		of, to := logits[side*d.bins:][:d.bins], p[side*d.bins:][:d.bins]
		top := slices.Max(of)
		for b, v := range of {
			to[b] = float64(v - top)
		}
	}
	exponentials(p)
	for side := range sums {
		for _, v := range p[side*d.bins:][:d.bins] {
			sums[side] += v
		}
	}
	return sums
}

func (d *nanoDet) features(outs [][]float32) (cells, channels int, at func(cell, channel int) float32) {
	var rows [][]float32
	for _, l := range d.levels {
		for i := range l.rows * l.cols {
			rows = append(rows, l.scores.at(outs, i, d.named))
		}
	}
	return len(rows), d.named, func(cell, channel int) float32 { return rows[cell][channel] }
}
