package evidence

import (
	"cmp"
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
	of := make([][]schemas.Object, len(s.seen.models))
	for i, c := range s.seen.models {
		of[i] = found(c, least)
	}
	var all []schemas.Object
	if len(of) == 1 {
		all = of[0]
	} else if len(of) > 1 {
		models := make([]fuse.Model, len(of))
		for i, c := range s.seen.models {
			models[i] = fuse.Model{ID: c.Model, Classes: c.Classes}
		}
		all = fuse.New(models).Fuse(of)
	}
	var out []Proposal
next:
	for _, o := range all {
		for _, q := range out {
			if iou(o.Box, q.Box) > anyThing {
				continue next
			}
		}
		if out = append(out, Proposal{o.Class, o.Box, o.Score}); len(out) == maxProposals {
			break
		}
	}
	return out
}

// found are the cells of one model that no better one of their class explains, best first.
func found(c schemas.Candidates, least float32) []schemas.Object {
	var out []schemas.Object
	var order []int
	score := func(k int) float32 { return c.Cells[k].Scores[0].Score }
	for k := range c.Cells {
		if len(c.Cells[k].Scores) > 0 && score(k) >= least {
			order = append(order, k)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(score(b), score(a)) })
next:
	for _, k := range order {
		o := schemas.Object{Class: c.Classes[c.Cells[k].Scores[0].Class], Box: c.Cells[k].Box, Score: score(k), Source: c.Model}
		for _, q := range out {
			if q.Class == o.Class && iou(o.Box, q.Box) > oneThing {
				continue next
			}
		}
		if out = append(out, o); len(out) == maxProposals {
			break
		}
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
	v.add("cover.same", c.same)
	v.add("cover.any", c.any)
	v.add("cover.in", c.in)
	v.add("cover.around", c.around)
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
