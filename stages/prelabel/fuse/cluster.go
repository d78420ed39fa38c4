package fuse

import (
	"cmp"
	"slices"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/prelabel/logistic"
)

// member is one model's detection in a cluster.
type member struct {
	model  int
	object schemas.Object
	odds   float64 // calibrated
}

// cluster is what the models say of one place: at most one detection of each model, the most certain first.
type cluster []member

// of returns a model's detection.
func (c cluster) of(model int) (member, bool) {
	for _, m := range c {
		if m.model == model {
			return m, true
		}
	}
	return member{}, false
}

// clusters takes detections of one class together. The most certain by calibrated odds come first; each joins the cluster whose
// first member it overlaps most, above IoU, among those that its model is not in, or begins one.
func (f *Fuser) clusters(knowing []int, found [][]schemas.Object) []cluster {
	var all []member
	for _, i := range knowing {
		for _, o := range found[i] {
			all = append(all, member{i, o, f.Models[i].odds(o.Score)})
		}
	}
	slices.SortFunc(all, func(a, b member) int {
		return cmp.Or(cmp.Compare(b.odds, a.odds), cmp.Compare(a.model, b.model), compareBox(a.object.Box, b.object.Box), cmp.Compare(a.object.ID, b.object.ID))
	})
	var out []cluster
	for _, m := range all {
		at, most := -1, f.IoU
		for i, c := range out {
			if v := c[0].object.Box.IoU(m.object.Box); v > most {
				if _, in := c.of(m.model); !in {
					at, most = i, v
				}
			}
		}
		if at < 0 {
			out = append(out, cluster{m})
		} else {
			out[at] = append(out[at], m)
		}
	}
	return out
}

// odds are the log-odds that a detection of the model with this score is right, whatever others say.
func (m Model) odds(score float32) float64 { return m.Shift + m.Slope*logistic.Logit(float64(score)) }

// object is the first member with the members' mean box, weighted by their probabilities. It lies within the hull of their boxes.
func (c cluster) object() schemas.Object {
	o := c[0].object
	var x1, y1, x2, y2, sum float64
	hull, common := o.Box, o.Box
	for _, m := range c {
		w, b := logistic.Sigmoid(m.odds), m.object.Box
		x1, y1, x2, y2, sum = x1+w*float64(b.X1), y1+w*float64(b.Y1), x2+w*float64(b.X2), y2+w*float64(b.Y2), sum+w
		hull = geometry.Box{X1: min(hull.X1, b.X1), Y1: min(hull.Y1, b.Y1), X2: max(hull.X2, b.X2), Y2: max(hull.Y2, b.Y2)}
		common = geometry.Box{X1: max(common.X1, b.X1), Y1: max(common.Y1, b.Y1), X2: min(common.X2, b.X2), Y2: min(common.Y2, b.Y2)}
	}
	// Rounding may lead a hair out of what the members span.
	o.Box = geometry.Box{
		X1: min(max(float32(x1/sum), hull.X1), common.X1), Y1: min(max(float32(y1/sum), hull.Y1), common.Y1),
		X2: max(min(float32(x2/sum), hull.X2), common.X2), Y2: max(min(float32(y2/sum), hull.Y2), common.Y2),
	}
	return o
}
