package evidence

import (
	"cmp"
	"math"
	"slices"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

// A Thing is what the models see at a place, whatever they call it.
type Thing struct {
	Box   geometry.Box
	Score float32 // [0,1]
	cells []int   // that are about it
}

// Things are what the models see, best first and each once: the cells that overlap no better one. Scores are at least least.
func (s *Scene) Things(least float32) (out []Thing) {
	cells := s.seen.Cells[:s.seen.first]
	var order []int
	for k := range cells {
		if cells[k].Score >= least {
			order = append(order, k)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(cells[b].Score, cells[a].Score) })
next:
	for _, k := range order {
		for i := range out {
			if iou(out[i].Box, cells[k].Box) > oneThing {
				out[i].cells = append(out[i].cells, k)
				continue next
			}
		}
		if len(out) < maxProposals {
			out = append(out, Thing{cells[k].Box, cells[k].Score, []int{k}})
		}
	}
	return out
}

// Exemplars are labels of a scene that others of their kind are to resemble: in shape, in color, and in what the models call them.
type Exemplars struct {
	scene  *Scene
	labels []int
	looks  []appearance
	usual  []float64 // log-odds of the best score of the cells that are about each
}

// appearance is what a box looks like.
type appearance struct {
	colors []uint8  // [3, swatch*swatch]: of each channel, sorted; nil without pixels
	called []naming // by which names the models call it, in the order of classes and of length 1; nil where they say none
}

// naming is how much of what the models say is a name: they have many, and of a thing say few.
type naming struct {
	class  uint16
	weight float64
}

// Exemplars are the labels that of admits.
func (s *Scene) Exemplars(of func(label schemas.Object) bool) *Exemplars {
	e := &Exemplars{scene: s}
	for i, l := range s.Labels {
		if of(l) && !l.Box.Clip(s.W, s.H).Empty() {
			var cells []int
			top := float32(0)
			for _, near := range s.seen.near[i] {
				if near.iou >= oneThing && near.cell < s.seen.first { // things are not seen from nearby, either
					cells, top = append(cells, near.cell), max(top, s.seen.Cells[near.cell].Score)
				}
			}
			e.labels, e.looks, e.usual = append(e.labels, i), append(e.looks, s.appearance(l.Box, cells)), append(e.usual, logit(top))
		}
	}
	return e
}

// None tells whether there is no such label.
func (e *Exemplars) None() bool { return len(e.labels) == 0 }

func (s *Scene) appearance(b geometry.Box, cells []int) appearance {
	return appearance{s.swatches(b), s.called(b, cells)}
}

const swatch = 8 // places along each side of a box whose colors are compared

// swatches are the colors at places in the inner four fifths of a box, channel by channel and sorted, so that neither order nor turning counts.
func (s *Scene) swatches(b geometry.Box) []uint8 {
	if s.image == nil {
		return nil
	}
	out := make([]uint8, 3*swatch*swatch)
	for j := range swatch {
		y := placed(b.Y1, b.H(), j, s.H)
		for i := range swatch {
			pixel := s.image.Pix[3*(y*s.W+placed(b.X1, b.W(), i, s.W)):][:3]
			for c, v := range pixel {
				out[(c*swatch+j)*swatch+i] = v
			}
		}
	}
	for c := range 3 {
		slices.Sort(out[c*swatch*swatch:][:swatch*swatch])
	}
	return out
}

func placed(from, side float32, i, limit int) int {
	return min(max(int(from+side*(0.1+0.8*(float32(i)+0.5)/swatch)), 0), limit-1)
}

// called is by which names the models call what cells are about.
func (s *Scene) called(b geometry.Box, cells []int) (out []naming) {
	for _, k := range cells {
		c := &s.seen.Cells[k]
		overlap := float64(iou(b, c.Box))
		for _, x := range c.Scores {
			at, met := slices.BinarySearchFunc(out, x.Class, func(n naming, class uint16) int { return cmp.Compare(n.class, class) })
			if !met {
				out = slices.Insert(out, at, naming{class: x.Class})
			}
			out[at].weight += overlap * overlap * float64(x.Score)
		}
	}
	square := 0.0
	for _, n := range out {
		square += n.weight * n.weight
	}
	if square == 0 {
		return nil
	}
	for k := range out {
		out[k].weight /= math.Sqrt(square)
	}
	return out
}

// cosine is that of the angle between two callings.
func cosine(a, b []naming) (sum float64) {
	for len(a) > 0 && len(b) > 0 {
		switch x, y := a[0], b[0]; {
		case x.class < y.class:
			a = a[1:]
		case x.class > y.class:
			b = b[1:]
		default:
			sum += x.weight * y.weight
			a, b = a[1:], b[1:]
		}
	}
	return sum
}

// resemblance is how one appearance lies to another; parts that cannot be told are NaN.
type resemblance struct{ size, aspect, colors, called float64 }

func (s *Scene) resemblance(a, b geometry.Box, x, y appearance) resemblance {
	r := resemblance{math.NaN(), math.NaN(), math.NaN(), math.NaN()}
	if one, shape1, _, ok := shape(a, s.W, s.H); ok {
		if other, shape2, _, ok := shape(b, s.W, s.H); ok {
			r.size, r.aspect = one-other, math.Abs(shape1-shape2)
		}
	}
	if x.colors != nil && y.colors != nil {
		sum := 0
		for k, v := range y.colors[:len(x.colors)] {
			d := int(v) - int(x.colors[k])
			sum += max(d, -d)
		}
		r.colors = float64(sum) / float64(len(x.colors))
	}
	if x.called != nil && y.called != nil {
		r.called = cosine(x.called, y.called)
	}
	return r
}

// distance weighs what differs: a factor of e^.25 in size or aspect, 8 of 255 levels, and half of the names count as much.
func (r resemblance) distance() float64 {
	sum, n := 0.0, 0.0
	for _, d := range [...]float64{math.Abs(r.size) / 0.25, r.aspect / 0.25, r.colors / 8, (1 - r.called) / 0.5} {
		if !math.IsNaN(d) {
			sum, n = sum+d, n+1
		}
	}
	if n == 0 {
		return math.Inf(1)
	}
	return sum / n
}

// Alike is the evidence that a thing is one more of those that the labels name, [features], in the order of AlikeNames, and the class of the
// label that it resembles most; empty where there is no label. The colors of two boxes are as far apart as their sorted levels (the
// Wasserstein distance of their distributions), and names by the cosine of the models' scores.
func (e *Exemplars) Alike(t Thing) (class string, features []float32) {
	v := &vector{values: make([]float32, 0, len(alikeNames))}
	class = e.alike(v, t)
	return class, v.values
}

// AlikeNames are the names of the numbers of Alike.
func AlikeNames() []string { return alikeNames }

var alikeNames = func() []string {
	v := &vector{named: true}
	s := blank()
	s.Exemplars(func(schemas.Object) bool { return true }).alike(v, Thing{})
	return v.names
}()

func (e *Exemplars) alike(v *vector, t Thing) (class string) {
	s, x := e.scene, e.scene.appearance(t.Box, t.cells)
	best, nearest, second := resemblance{math.NaN(), math.NaN(), math.NaN(), math.NaN()}, math.Inf(1), math.Inf(1)
	for k, i := range e.labels {
		r := s.resemblance(t.Box, s.Labels[i].Box, x, e.looks[k])
		switch d := r.distance(); {
		case d < nearest || k == 0:
			best, nearest, second, class = r, d, nearest, s.Labels[i].Class
		case d < second:
			second = d
		}
	}
	of, usual := 0.0, 0.0
	for k, i := range e.labels {
		if s.Labels[i].Class == class {
			of++
			usual += e.usual[k]
		}
	}
	if second == math.Inf(1) {
		second = math.NaN()
	}
	v.add("score", logit(t.Score))
	v.add("score.usual", logit(t.Score)-usual/max(of, 1))
	v.add("cells", math.Log1p(float64(len(t.cells))))
	v.add("distance", nearest)
	v.add("distance.second", second)
	v.add("size", best.size)
	v.add("aspect", best.aspect)
	v.add("colors", best.colors)
	v.add("called", best.called)
	v.add("labels", math.Log1p(of))
	c := s.covered(t.Box, -1)
	v.add("cover.any", c.any)
	v.add("cover.in", c.in)
	v.add("cover.around", c.around)
	v.add("holds", math.Log1p(float64(s.within(t.Box))))
	frame := 0.0
	for edge := range 4 {
		frame += flag(s.margin(t.Box, edge) < 2)
	}
	v.add("frame", frame)
	v.prefix = "habit."
	s.habit(v, class, t.Box)
	v.prefix = ""
	return class
}

// within is how many labels lie in a box, but for less than a third of each: things are often seen as one with those beside them.
func (s *Scene) within(b geometry.Box) (n int) {
	for _, l := range s.Labels {
		if b.Intersect(l.Box).Area() > l.Box.Area()*2/3 {
			n++
		}
	}
	return n
}

func logit(score float32) float64 { return math.Log(float64(score+1e-3) / float64(1-score+1e-3)) }
