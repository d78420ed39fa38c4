// Package evidence measures what speaks for and against the labels of an image: pure functions from a scene to numbers, each kind
// in a file of its own. The numbers are relative (shares of a box's sides, log-ratios, scores), so that a combination fitted with
// some detectors and datasets carries over to others. A number that cannot be had, since no pixels are at hand or no cell explains
// the box, is NaN.
package evidence

import (
	"math"

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
	looks   []*look       // [labels]: what the pixels say of each edge; nil without pixels
	fits    [][len(weightings)]Fit
	likely  []likelihood // [labels]
}

// seen is what detectors say of the scene: the cells of all of them, pooled. Several that agree make a narrower distribution of each
// edge, and one that is silent takes nothing from what another says.
type seen struct {
	Classes []string
	Cells   []schemas.Candidate
	related [][]bool    // [labels][classes]: may name what the label names
	known   []bool      // [labels]: any of the classes may
	iou     [][]float32 // [labels][cells]
	scores  [][]scores  // [labels][cells]
	models  []schemas.Candidates
	rival   []int // [cells]: the label that fits the cell's box best, -1 for none
}

// scores are a cell's best for what a label names, and for what it does not.
type scores struct{ same, other float32 }

// Context is what a scene is seen with. Only Related is required.
type Context struct {
	Related func(label schemas.Object, class string) bool // whether a model's class may name what a label names
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
	sc.looks = make([]*look, len(sc.Labels))
	sc.fits, sc.likely = make([][len(weightings)]Fit, len(sc.Labels)), make([]likelihood, len(sc.Labels))
	for i, l := range sc.Labels {
		sc.looks[i] = sc.look(l.Box)
		for w, by := range weightings {
			sc.fits[i][w] = sc.fit(i, by)
		}
		sc.likely[i] = sc.likelihood(i)
	}
	return sc
}

func see(s *schemas.Sample, related func(schemas.Object, string) bool) *seen {
	labels := s.Objects
	m := &seen{related: make([][]bool, len(labels)), known: make([]bool, len(labels)), iou: make([][]float32, len(labels)), scores: make([][]scores, len(labels))}
	m.Classes, m.Cells = pool(s.Candidates)
	m.models = s.Candidates
	m.rival = make([]int, len(m.Cells))
	for k := range m.rival {
		m.rival[k] = -1
	}
	best := make([]float32, len(m.Cells))
	for i, l := range labels {
		m.related[i] = make([]bool, len(m.Classes))
		for j, name := range m.Classes {
			m.related[i][j] = related(l, name)
			m.known[i] = m.known[i] || m.related[i][j]
		}
		m.iou[i], m.scores[i] = make([]float32, len(m.Cells)), make([]scores, len(m.Cells))
		for k := range m.Cells {
			for _, c := range m.Cells[k].Scores {
				if of := &m.scores[i][k]; m.related[i][c.Class] {
					of.same = max(of.same, c.Score)
				} else {
					of.other = max(of.other, c.Score)
				}
			}
			o := iou(l.Box, m.Cells[k].Box)
			m.iou[i][k] = o
			if o > best[k] {
				best[k], m.rival[k] = o, i
			}
		}
	}
	return m
}

// pool is the cells of all models, with the classes that they count.
func pool(all []schemas.Candidates) (classes []string, cells []schemas.Candidate) {
	if len(all) == 1 {
		return all[0].Classes, all[0].Cells
	}
	index := map[string]uint16{}
	for _, c := range all {
		for _, cell := range c.Cells {
			scores := make([]schemas.ClassScore, len(cell.Scores))
			for i, s := range cell.Scores {
				name := c.Classes[s.Class]
				at, ok := index[name]
				if !ok {
					at = uint16(len(classes)) //nolint:gosec // models have fewer than 65536 classes
					index[name], classes = at, append(classes, name)
				}
				scores[i] = schemas.ClassScore{Class: at, Score: s.Score}
			}
			cell.Scores = scores
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
