package prelabel

import (
	"math"
	"math/bits"
	"slices"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

// Dense says which of a model's cells are kept beside its detections.
type Dense struct {
	Floor float32 `yaml:"floor"` // cells score at least this, (0,1]
	Max   int     `yaml:"max"`   // of each model, the best are kept; 0: none
}

// maxClassScores is how many classes of a cell are kept.
const maxClassScores = 5

// manifold is a decoder of cells that say something of several classes, by numbers that order these as scores do. It is a rowed or a
// planar one.
type manifold interface {
	// score makes of a class's number in a cell, v, what decode would.
	score(out [][]float32, cell int, v float32) float32
	// least is a number whose score is, but for rounding, at most low, which is above 0.
	least(out [][]float32, cell int, low float32) float32
}

// rowed is a manifold that has the classes of a cell beside each other.
type rowed interface {
	manifold
	// classes are a cell's numbers, [C].
	classes(out [][]float32, cell int) []float32
}

// planar is a manifold that has the cells of a class beside each other.
type planar interface {
	manifold
	// classPlanes are the numbers of all cells, [C, cells].
	classPlanes(out [][]float32) (numbers []float32, cells int)
}

// distributor is a decoder of models that say how sure they are of each edge.
type distributor interface {
	// distances is how many bins a distribution has.
	distances() int
	// sides are the distributions of a cell, in pixels of the input; their bytes go into p, [4 * distances]. It uses space, of as many.
	sides(out [][]float32, cell int, p []byte, space []float64) schemas.Sides
}

// dense makes candidates of what scores at least d.Floor: found, as onImage leaves it. Planar decoders use ranked.
func (a *adapter) dense(out [][]float32, found []candidate, at placement, d Dense, ranked *ranks) schemas.Candidates {
	c := schemas.Candidates{Model: a.model.ID, Floor: d.Floor, Classes: a.model.Classes}
	n := 0
	for n < len(found) && found[n].score >= d.Floor {
		n++
	}
	if n > d.Max {
		n, c.Floor = d.Max, found[d.Max].score
	}
	classes, several := a.decoder.(manifold)
	rows, _ := a.decoder.(rowed)
	if planes, ok := a.decoder.(planar); ok {
		ranked.rank(planes.classPlanes(out))
	}
	sides, distributes := a.decoder.(distributor)
	c.Cells = make([]schemas.Candidate, n)
	all := make([]schemas.ClassScore, 0, n*maxClassScores)
	var edges []schemas.Sides // which the cells point into, as they do into all and p
	var p []byte
	var bins []float64
	if distributes {
		bins = make([]float64, 4*sides.distances())
		edges, p = make([]schemas.Sides, n), make([]byte, n*len(bins))
	}
	for i, f := range found[:n] {
		first := len(all)
		if several {
			if least := hairBelow(classes.least(out, f.cell, d.Floor/10)); rows != nil {
				all = appendBest(all, rows.classes(out, f.cell), least)
			} else {
				all = ranked.appendBest(all, f.cell, least)
			}
			for j := first; j < len(all); j++ {
				if s := &all[j]; int(s.Class) == f.class {
					s.Score = f.score
				} else if s.Score = min(classes.score(out, f.cell, s.Score), 1); !(s.Score >= d.Floor/10) {
					all = all[:j]
				}
			}
		} else {
			all = append(all, schemas.ClassScore{Class: uint16(f.class), Score: f.score}) //nolint:gosec // models have fewer than 65536 classes
		}
		c.Cells[i] = schemas.Candidate{Box: f.box, Score: f.score, Scores: all[first:len(all):len(all)]}
		if distributes {
			s := &edges[i]
			*s = sides.sides(out, f.cell, p[i*len(bins):][:len(bins):len(bins)], bins)
			s.X, s.Y = (s.X-float32(at.left))*at.perX, (s.Y-float32(at.top))*at.perY
			s.StepX, s.StepY = s.StepX*at.perX, s.StepY*at.perY
			c.Cells[i].Sides = s
		}
	}
	return c
}

// hairBelow is less than x by more than rounding makes of it.
func hairBelow(x float32) float32 { return x - 1e-4*max(x, -x, 1e-3) }

// appendBest appends the classes of the greatest numbers above least, at most maxClassScores, the greatest first. Of equals the
// first is ahead; NaN is never among them.
func appendBest(all []schemas.ClassScore, numbers []float32, least float32) []schemas.ClassScore {
	first := len(all)
	for from := 0; from < len(numbers); from += 64 {
		some := numbers[from:min(from+64, len(numbers))]
		for set := bitsAbove(some, least); set != 0; set &= set - 1 {
			c := bits.TrailingZeros64(set)
			v := some[c]
			if !(v > least) { // which one of these has raised
				continue
			}
			if len(all)-first < maxClassScores {
				all = append(all, schemas.ClassScore{})
			}
			i := len(all) - 1
			for ; i > first && all[i-1].Score < v; i-- {
				all[i] = all[i-1]
			}
			all[i] = schemas.ClassScore{Class: uint16(from + c), Score: v} //nolint:gosec // models have fewer than 65536 classes
			if len(all)-first == maxClassScores {
				least = all[len(all)-1].Score
			}
		}
	}
	return all
}

// appendBest is that of a row with a cell's numbers.
func (r *ranks) appendBest(all []schemas.ClassScore, cell int, least float32) []schemas.ClassScore {
	for i := cell; i < len(r.number) && r.number[i] > least; i += r.cells {
		all = append(all, schemas.ClassScore{Class: uint16(r.class[i]), Score: r.number[i]}) //nolint:gosec // models have fewer than 65536 classes
	}
	return all
}

// translated takes candidates to the classes that a dataset wants, by what translate makes of an object of each class. Cells that
// the dataset has no use for stay, without scores: where they saw something counts.
func translated(c schemas.Candidates, translate func([]schemas.Object) []schemas.Object) schemas.Candidates {
	if c.Model == "" { // none were asked for
		return c
	}
	const none = math.MaxUint16
	classes := make([]schemas.Object, len(c.Classes))
	for i, name := range c.Classes {
		classes[i] = schemas.Object{Class: name, Source: name}
	}
	to := slices.Repeat([]uint16{none}, len(c.Classes))
	from := c.Classes
	c.Classes = nil
	for _, o := range translate(classes) {
		at := slices.Index(c.Classes, o.Class)
		if at < 0 {
			at = len(c.Classes)
			c.Classes = append(c.Classes, o.Class)
		}
		to[slices.Index(from, o.Source)] = uint16(at) //nolint:gosec // no more than there were
	}
	for i := range c.Cells {
		cell := &c.Cells[i]
		kept := cell.Scores[:0]
		for _, s := range cell.Scores {
			s.Class = to[s.Class]
			if s.Class == none || slices.ContainsFunc(kept, func(k schemas.ClassScore) bool { return k.Class == s.Class }) {
				continue
			}
			kept = append(kept, s)
		}
		cell.Scores = kept
	}
	return c
}

// candidates are those of all models that have any, at the boxes that the dataset's people would draw, as proposals are.
func (p *Prelabel) candidates(s *schemas.Sample, opinions []opinion) []schemas.Candidates {
	var out []schemas.Candidates
	for _, o := range opinions {
		for _, look := range o.looks {
			if look.Model == "" {
				continue
			}
			for i := range look.Cells {
				if c := &look.Cells[i]; p.Learned != nil && len(c.Scores) > 0 {
					shift(c, p.Learned.Move(s.Dataset, look.Classes[c.Scores[0].Class], look.Model, c.Box, s.Image.W, s.Image.H))
				}
			}
			out = append(out, look)
		}
	}
	return out
}

// shift puts a cell's box elsewhere, and what the cell says of its edges along with it.
func shift(c *schemas.Candidate, to geometry.Box) {
	if s := c.Sides; s != nil && to != c.Box {
		x, y := to.W()/c.Box.W(), to.H()/c.Box.H()
		s.X, s.StepX = to.X1+(s.X-c.Box.X1)*x, s.StepX*x
		s.Y, s.StepY = to.Y1+(s.Y-c.Box.Y1)*y, s.StepY*y
	}
	c.Box = to
}
