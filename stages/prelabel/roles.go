package prelabel

import (
	"fmt"
	"math"
	"slices"

	"gleaner/schemas"
)

// roles are outputs by what they hold; nil where there is none. Without scores, these stand in the fifth column of boxes.
type roles struct{ boxes, scores, labels, count *output }

func (r roles) names() schemas.DecodeOutputs {
	name := func(o *output) string {
		if o == nil {
			return ""
		}
		return o.spec.Name
	}
	return schemas.DecodeOutputs{Boxes: name(r.boxes), Scores: name(r.scores), Labels: name(r.labels), Count: name(r.count)}
}

// roles tells outputs apart by the spec's names, else by their shapes and types, else by the values of a trial run. It
// returns nil where there are no boxes with scores, and an error where two outputs may be the same.
func (g *graph) roles() (*roles, error) {
	r, free := roles{}, slices.Clone(g.outputs)
	var ambiguous error
	take := func(role **output, what string, fits func(o output) bool) {
		if *role != nil {
			return
		}
		for i := range g.outputs {
			o := &g.outputs[i]
			switch {
			case !fits(*o) || !slices.ContainsFunc(free, func(f output) bool { return f.index == i }):
			case *role == nil:
				*role = o
			case ambiguous == nil:
				ambiguous = fmt.Errorf("%s and %s may both hold the %s: a decode file (--decode) has to say outputs: {%[3]s: %[4]q} or outputs: {%[3]s: %[5]q}",
					(*role).spec, o.spec, what, (*role).spec.Name, o.spec.Name)
			}
		}
		if *role != nil {
			free = slices.DeleteFunc(free, func(o output) bool { return o.index == (*role).index })
		}
	}
	named := func(name string) func(o output) bool {
		return func(o output) bool { return name != "" && o.spec.Name == name }
	}
	take(&r.boxes, "boxes", named(g.spec.Outputs.Boxes))
	take(&r.scores, "scores", named(g.spec.Outputs.Scores))
	take(&r.labels, "labels", named(g.spec.Outputs.Labels))
	take(&r.count, "count", named(g.spec.Outputs.Count))
	wide := func(n int) func(o output) bool {
		return func(o output) bool { _, columns, ok := o.matrix(); return ok && columns == n }
	}
	take(&r.boxes, "boxes", wide(4))
	take(&r.boxes, "boxes", wide(5))
	if r.boxes == nil {
		return nil, nil
	}
	n, columns, _ := r.boxes.matrix()
	vector := func(o output) bool { size, ok := o.vector(); return ok && size == n }
	matrix := func(o output) bool { rows, _, ok := o.matrix(); return ok && rows == n && !vector(o) }
	take(&r.count, "count", func(o output) bool { return o.size() == 1 && !o.varies && (n != 1 || r.boxes.varies) })
	if columns == 5 {
		take(&r.labels, "labels", vector)
	} else {
		if r.labels == nil {
			take(&r.scores, "scores", matrix)
		}
		if r.scores == nil || vector(*r.scores) {
			take(&r.labels, "labels", func(o output) bool { return vector(o) && o.integers() })
		}
		switch {
		case r.labels != nil || len(free) == 0:
		case r.scores == nil && len(free) > 1:
			out, err := g.trial(boxesInput)
			if err != nil {
				return nil, err
			}
			take(&r.labels, "labels", func(o output) bool { return vector(o) && whole(out[o.index]) })
		case r.scores != nil && vector(*r.scores):
			take(&r.labels, "labels", vector)
		}
		take(&r.scores, "scores", vector)
	}
	switch {
	case columns != 4 && columns != 5:
		return nil, fmt.Errorf("%s is no list of boxes", r.boxes.spec)
	case r.scores == nil && columns == 4, r.labels == nil && columns == 5:
		return nil, nil
	case r.scores != nil && !vector(*r.scores) && (r.labels != nil || !matrix(*r.scores)):
		return nil, fmt.Errorf("%s is no list of scores for %s", r.scores.spec, r.boxes.spec)
	case r.labels != nil && !vector(*r.labels):
		return nil, fmt.Errorf("%s is no list of labels for %s", r.labels.spec, r.boxes.spec)
	}
	return &r, ambiguous
}

// whole reports whether all numbers are integers.
func whole(values []float32) bool {
	return !slices.ContainsFunc(values, func(v float32) bool { return float64(v) != math.Trunc(float64(v)) })
}

// shares reports whether all numbers lie in [0,1], as probabilities do.
func shares(values []float32) bool {
	return !slices.ContainsFunc(values, func(v float32) bool { return !(v >= -1e-4 && v <= 1+1e-4) })
}

// boxForm completes a spec with the format and the unit of boxes by what a trial run gives: corners are in order, centers and
// sizes are not negative, and shares of the sides are small.
func (g *graph) boxForm(m *match, boxes *output, in schemas.DecodeInput) error {
	format, unit := schemas.BoxXYXY, schemas.UnitPixels
	switch {
	case g.channelsLast:
		format, unit = schemas.BoxYXYX, schemas.UnitNormalized
	case g.spec.Boxes == "" || g.spec.Unit == "":
		out, err := g.trial(in)
		if err != nil {
			return err
		}
		_, row, _ := boxes.matrix()
		corners, centers, top := true, true, float32(0)
		for p := out[boxes.index]; len(p) >= row; p = p[row:] {
			corners = corners && p[2] >= p[0] && p[3] >= p[1]
			centers = centers && min(p[0], p[1], p[2], p[3]) >= 0
			top = max(top, p[0], p[1], p[2], p[3])
		}
		switch {
		case top == 0:
			m.say("a trial run found nothing, so they are taken for corners in pixels")
		case !corners && !centers && g.spec.Boxes == "":
			return fmt.Errorf("%s holds neither corners nor centers with sizes on a trial run: offsets to anchors must be decoded in the graph", boxes.spec)
		default:
			if !corners {
				format = schemas.BoxCXCYWH
			}
			if top <= 2 {
				unit = schemas.UnitNormalized
			}
			m.say("on a trial run they look like %s, %s", format, unit)
		}
	}
	m.decode.Boxes, m.decode.Unit = orElse(g.spec.Boxes, format), orElse(g.spec.Unit, unit)
	return nil
}
