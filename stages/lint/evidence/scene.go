// Package evidence measures what speaks for and against the labels of an image: pure functions from a scene to numbers, each kind
// in a file of its own. The numbers are relative (shares of a box's sides, log-ratios, scores), so that a combination fitted with
// some detectors and datasets carries over to others. A number that cannot be had, since no pixels are at hand or no cell explains
// the box, is NaN.
package evidence

import (
	"math"
	"slices"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/schemas/labelmap"
	"gleaner/stages/pixels"
)

// Scene is an image, its labels, and what is known of it. It is not changed once it is made.
type Scene struct {
	W, H   int // pixels
	Labels []schemas.Object

	seen    *seen         // what the detectors say
	image   *pixels.Image // nil: the pixels are not at hand
	borders *borders      // nil: there are no superpixels, or no labels to look at
	habits  *Habits       // nil: nothing is known of the dataset
	touch   [][]touch     // [labels]
	looks   []*look       // [labels]: what the pixels say of each edge; nil without pixels
	fits    [][len(weightings)]Fit
	off     []residuals  // [labels]
	likely  []likelihood // [labels]
	support []support    // [labels]
}

// seen is what detectors say of the scene: the cells of all of them, pooled. Several that agree make a narrower distribution of each
// edge, and one that is silent takes nothing from what another says.
type seen struct {
	Classes   []string
	Cells     []schemas.Candidate
	related   [][]bool             // [labels][classes]: may name what the label names
	known     []bool               // [labels]: any of the classes may
	near      [][]nearCell         // [labels]: the cells whose boxes overlap the label's by nearby or more, in the order of cells
	away      [][]float32          // [labels][models]: the best score of the other cells for what the label names
	all       []schemas.Candidates // whose cells these are, in their order
	models    []string             // whose candidates all are, in their order
	general   []schemas.Candidates // those of looks that are not at labels only
	first     int                  // how many of the cells are of those
	unlabeled []schemas.Candidates // looks at what no label covers, whose cells are of no account for labels
	rival     []int                // [cells]: the label that fits the cell's box best, -1 for none
	peaks     [][4]float64         // [cells]: logarithm of the likeliest distance's probability of each edge, where the model gives any
}

// nearby is the IoU from which on a cell is near a label.
const nearby = 0.1

// nearCell is a cell that is near a label.
type nearCell struct {
	cell int
	iou  float32
	scores
}

// scores are a cell's best for what a label names, and for what it does not.
type scores struct{ same, other float32 }

// Context is what a scene is seen with. Only Related is required.
type Context struct {
	Related func(label schemas.Object, classes []string) []bool // whether each of the models' classes may name what a label names; read-only
	Image   *pixels.Image
	Maps    *labelmap.Recent // where superpixel's maps are kept
	Habits  *Habits
}

// New prepares a scene of a sample's labels and candidates.
func New(s *schemas.Sample, with Context) *Scene {
	sc := &Scene{W: s.Image.W, H: s.Image.H, Labels: s.Objects, habits: with.Habits}
	if i := with.Image; i != nil && i.W == sc.W && i.H == sc.H {
		sc.image = i
	}
	if len(sc.Labels) > 0 {
		sc.borders = readBorders(s, with.Maps)
	}
	sc.seen = see(s, with.Related)
	n := len(sc.Labels)
	sc.looks, sc.touch = make([]*look, n), make([][]touch, n)
	for i, l := range sc.Labels {
		sc.touch[i], sc.looks[i] = sc.touches(i), sc.look(l.Box)
	}
	sc.seen.meet(sc.Labels)
	sc.judge()
	return sc
}

// judge puts what the detectors say in relation to the labels.
func (s *Scene) judge() {
	n := len(s.Labels)
	s.fits, s.off = make([][len(weightings)]Fit, n), make([]residuals, n)
	s.likely, s.support = make([]likelihood, n), make([]support, n)
	var cells []explainer
	for i := range s.Labels {
		cells = s.explainers(i, cells[:0])
		for w, by := range weightings {
			s.fits[i][w] = newFit(cells, by)
		}
		s.off[i] = s.residuals(i)
		s.likely[i], s.support[i] = s.likelihood(i), s.seen.support(i)
	}
}

// Alone are the scene as each of its models sees it by itself, in the order of the models. Evidence about labels within the image
// is what it would be had the sample this model's candidates only; of things without a label they tell nothing.
func (s *Scene) Alone() []*Scene {
	var out []*Scene
	for _, of := range s.seen.alone() {
		one := *s
		one.seen = of
		one.judge()
		out = append(out, &one)
	}
	return out
}

func see(s *schemas.Sample, related func(schemas.Object, []string) []bool) *seen {
	m := &seen{}
	var closer []schemas.Candidates
	for _, c := range s.Candidates {
		switch c.Look {
		case schemas.LookCloser:
			closer = append(closer, c)
		case schemas.LookUnlabeled:
			m.unlabeled = append(m.unlabeled, c)
		default:
			m.general, m.first = append(m.general, c), m.first+len(c.Cells)
		}
	}
	m.all = slices.Concat(m.general, closer)
	for _, c := range m.all {
		if !slices.Contains(m.models, c.Model) {
			m.models = append(m.models, c.Model)
		}
	}
	m.Classes, m.Cells = pool(m.all)
	m.peaks = peaks(m.Cells)
	for _, l := range s.Objects {
		r := related(l, m.Classes)
		m.related, m.known = append(m.related, r), append(m.known, slices.Contains(r, true))
	}
	return m
}

// alone are what each model says by itself, of the cells of all.
func (m *seen) alone() []*seen {
	index := map[string]int{}
	for i, name := range m.Classes {
		index[name] = i
	}
	total := 0
	for _, near := range m.near {
		total += len(near)
	}
	nears := make([]nearCell, 0, total) // of all labels and models
	out := make([]*seen, len(m.models))
	for k, model := range m.models {
		of := &seen{
			Classes: m.Classes, Cells: m.Cells, related: m.related, rival: m.rival, peaks: m.peaks, models: m.models[k : k+1],
			near: make([][]nearCell, len(m.near)), away: make([][]float32, len(m.near)), known: make([]bool, len(m.near)),
		}
		for i, near := range m.near {
			first, to := len(nears), 0
			for _, c := range m.all {
				to += len(c.Cells)
				n := 0
				for n < len(near) && near[n].cell < to {
					n++
				}
				if c.Model == model {
					nears = append(nears, near[:n]...)
					of.known[i] = of.known[i] || slices.ContainsFunc(c.Classes, func(name string) bool { return m.related[i][index[name]] })
				}
				near = near[n:]
			}
			of.near[i], of.away[i] = nears[first:len(nears):len(nears)], m.away[i][k:k+1:k+1]
		}
		out[k] = of
	}
	return out
}

// meet finds out which cells are near which labels.
func (m *seen) meet(labels []schemas.Object) {
	n := len(labels)
	m.near, m.away = make([][]nearCell, n), make([][]float32, n)
	m.rival = make([]int, len(m.Cells))
	boxes := make([]geometry.Box, len(m.Cells))
	for k := range boxes {
		m.rival[k], boxes[k] = -1, m.Cells[k].Box
	}
	best, overlaps := make([]float32, len(m.Cells)), make([]float32, len(m.Cells))
	all := make([][]scores, n) // [labels][cells], one for labels with the same related classes
	for i, l := range labels {
		if like := slices.IndexFunc(m.related[:i], func(r []bool) bool { return slices.Equal(r, m.related[i]) }); like >= 0 {
			all[i] = all[like]
		} else {
			all[i] = scored(m.Cells, m.related[i])
		}
		near := 0
		for k := range boxes {
			b := &boxes[k]
			overlaps[k] = 0
			if b.X1 >= l.Box.X2 || b.X2 <= l.Box.X1 || b.Y1 >= l.Box.Y2 || b.Y2 <= l.Box.Y1 {
				continue
			}
			o := iou(l.Box, *b)
			if o > best[k] {
				best[k], m.rival[k] = o, i
			}
			if float64(o) >= nearby {
				overlaps[k] = o
				near++
			}
		}
		m.near[i], m.away[i] = make([]nearCell, 0, near), make([]float32, len(m.models))
		k := 0
		for _, c := range m.all {
			away := &m.away[i][slices.Index(m.models, c.Model)]
			for range c.Cells {
				if of := all[i][k]; overlaps[k] > 0 {
					m.near[i] = append(m.near[i], nearCell{k, overlaps[k], of})
				} else {
					*away = max(*away, of.same)
				}
				k++
			}
		}
	}
}

// scored are the scores of cells, [cells], for a label to which some classes are related.
func scored(cells []schemas.Candidate, related []bool) []scores {
	out := make([]scores, len(cells))
	for k := range cells {
		of := &out[k]
		for _, c := range cells[k].Scores {
			if related[c.Class] {
				of.same = max(of.same, c.Score)
			} else {
				of.other = max(of.other, c.Score)
			}
		}
	}
	return out
}

// pool is the cells of all models, with the classes that they count.
func pool(all []schemas.Candidates) (classes []string, cells []schemas.Candidate) {
	if len(all) == 1 {
		return all[0].Classes, all[0].Cells
	}
	index := map[string]uint16{}
	for _, c := range all {
		for _, name := range c.Classes {
			if _, met := index[name]; !met {
				index[name], classes = uint16(len(classes)), append(classes, name) //nolint:gosec // models have fewer than 65536 classes
			}
		}
	}
	n, named := 0, 0
	for _, c := range all {
		n += len(c.Cells)
		for i := range c.Cells {
			named += len(c.Cells[i].Scores)
		}
	}
	cells = make([]schemas.Candidate, 0, n)
	scores := make([]schemas.ClassScore, 0, named) // of all cells
	for _, c := range all {
		for _, cell := range c.Cells {
			first := len(scores)
			for _, s := range cell.Scores {
				scores = append(scores, schemas.ClassScore{Class: index[c.Classes[s.Class]], Score: s.Score})
			}
			cell.Scores = scores[first:len(scores):len(scores)]
			cells = append(cells, cell)
		}
	}
	return classes, cells
}

func iou(a, b geometry.Box) float32 {
	w, h := min(a.X2, b.X2)-max(a.X1, b.X1), min(a.Y2, b.Y2)-max(a.Y1, b.Y1)
	if !(w > 0 && h > 0) {
		return 0
	}
	inter := w * h
	if union := a.W()*a.H() + b.W()*b.H() - inter; union > inter {
		return inter / union
	}
	return 1
}

// sides are the coordinates of the edges, left, top, right, bottom; outward has their signs.
func sides(b geometry.Box) [4]float64 {
	return [4]float64{float64(b.X1), float64(b.Y1), float64(b.X2), float64(b.Y2)}
}

var outward = [4]float64{-1, -1, 1, 1}

// vector collects numbers, and their names where they are asked for.
type vector struct {
	names  []string
	values []float32
	prefix string
	named  bool
}

func (v *vector) add(name string, x float64) {
	if v.named {
		v.names = append(v.names, v.prefix+name)
	}
	v.values = append(v.values, float32(x))
}

func (v *vector) addAll(names []string, x ...float64) {
	for i, name := range names {
		if len(x) == 0 {
			v.add(name, math.NaN())
			continue
		}
		v.add(name, x[i])
	}
}

func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// logRatio is the logarithm of a over b, both at least 0, damped where both are tiny.
func logRatio(a, b float64) float64 { return math.Log((a + 1e-3) / (b + 1e-3)) }
