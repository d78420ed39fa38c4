package evidence

import (
	"cmp"
	"math"
	"slices"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/prelabel/fuse"
)

// A Proposal is a thing that the models see, whether a label covers it or not.
type Proposal struct {
	Class string
	Box   geometry.Box
	Score float32 // [0,1]
}

// cover is how labels lie to a box.
type cover struct{ any, same, in, around float64 }

const (
	maxProposals = 200
	oneThing     = 0.5 // IoU from which two boxes of a class are about one thing
	anyThing     = 0.7 // the same of two classes
)

// Proposals are what the models see, best first and each thing once: the cells that no better one explains and, of several models, what
// fusing theirs makes (stages/prelabel/fuse, as it is before anything was learned). Scores are at least least for one of the models.
func (s *Scene) Proposals(least float32) []Proposal {
	var models []fuse.Model
	var of [][]Proposal // [models]
	for i, c := range s.seen.general {
		if i == 0 || s.seen.general[i-1].Model != c.Model {
			models, of = append(models, fuse.Model{ID: c.Model, Classes: c.Classes}), append(of, nil)
		}
		last := len(of) - 1
		for _, cell := range c.Cells {
			if len(cell.Scores) > 0 && cell.Scores[0].Score >= least {
				of[last] = append(of[last], Proposal{c.Classes[cell.Scores[0].Class], cell.Box, cell.Scores[0].Score})
			}
		}
	}
	var all []Proposal
	for i := range of {
		of[i] = once(of[i], func(p, q Proposal) bool { return p.Class == q.Class && iou(p.Box, q.Box) > oneThing })
		all = of[0]
	}
	if len(of) > 1 {
		all = fused(models, of)
	}
	return once(all, func(p, q Proposal) bool { return iou(p.Box, q.Box) > anyThing })
}

// once are the best proposals, best first, each thing once; of equals the first is ahead.
func once(all []Proposal, same func(p, q Proposal) bool) (out []Proposal) {
	slices.SortStableFunc(all, func(a, b Proposal) int { return cmp.Compare(b.Score, a.Score) })
	for _, p := range all {
		if len(out) < maxProposals && !slices.ContainsFunc(out, func(q Proposal) bool { return same(p, q) }) {
			out = append(out, p)
		}
	}
	return out
}

func fused(models []fuse.Model, of [][]Proposal) (out []Proposal) {
	objects := make([][]schemas.Object, len(of))
	for i, all := range of {
		for _, p := range all {
			objects[i] = append(objects[i], schemas.Object{Class: p.Class, Box: p.Box, Score: p.Score, Source: models[i].ID})
		}
	}
	for _, o := range fuse.New(models).Fuse(objects) {
		out = append(out, Proposal{Class: o.Class, Box: o.Box, Score: o.Score})
	}
	return out
}

// Absent is the evidence that a proposal is a thing that no label covers, [features], in the order of AbsentNames.
func (s *Scene) Absent(p Proposal) []float32 {
	v := &vector{values: make([]float32, 0, len(absentNames))}
	s.absent(v, p)
	return v.values
}

// AbsentNames are the names of the numbers of Absent.
func AbsentNames() []string { return absentNames }

var absentNames = func() []string {
	v := &vector{named: true}
	s := New(&schemas.Sample{Image: schemas.ImageRef{W: 1, H: 1}}, Context{})
	s.absent(v, Proposal{})
	return v.names
}()

func (s *Scene) absent(v *vector, p Proposal) {
	c := s.covered(p.Box, slices.Index(s.seen.Classes, p.Class))
	v.add("score", logit(p.Score))
	v.add("score.whole", sawAt(p, s.seen.general, schemas.LookWhole))
	v.add("score.tiles", sawAt(p, s.seen.general, schemas.LookTiles))
	v.add("score.closer", sawAt(p, s.seen.unlabeled, schemas.LookUnlabeled))
	v.add("cover.same", c.same)
	v.add("cover.any", c.any)
	v.add("cover.in", c.in)
	v.add("cover.around", c.around)
}

// sawAt is the logarithm of the odds of the best score that looks of a kind give a proposal's class at its place, NaN where there were none, or none
// at this place.
func sawAt(p Proposal, looks []schemas.Candidates, look schemas.Look) float64 {
	odds := math.NaN()
	for _, c := range looks {
		if c.Look != look {
			continue
		}
		best, class := float32(0), slices.Index(c.Classes, p.Class)
		if look == schemas.LookUnlabeled && (class < 0 || !slices.ContainsFunc(c.At, func(b geometry.Box) bool { return iou(b, p.Box) > oneThing })) {
			continue // a model that does not know it, or was not asked, is no witness
		}
		for _, cell := range c.Cells {
			if len(cell.Scores) > 0 && int(cell.Scores[0].Class) == class && cell.Scores[0].Score > best && iou(p.Box, cell.Box) > oneThing {
				best = cell.Scores[0].Score
			}
		}
		if o := logit(best); !(odds >= o) {
			odds = o
		}
	}
	return odds
}

// covered is how the labels lie to a box of one of the models' classes; of a class below 0 none is the same.
func (s *Scene) covered(b geometry.Box, class int) (c cover) {
	area := max(b.Area(), 1)
	for i, l := range s.Labels {
		common := b.Intersect(l.Box).Area()
		if common == 0 {
			continue
		}
		o, in, around := float64(iou(b, l.Box)), common/area, common/max(l.Box.Area(), 1)
		c.any, c.in, c.around = max(c.any, o), max(c.in, in), max(c.around, around)
		if class >= 0 && s.seen.related[i][class] {
			c.same = max(c.same, o)
		}
	}
	return c
}
