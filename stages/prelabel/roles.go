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
	var errs []error
	take := func(role **output, what string, fits func(o output) bool) {
		if *role != nil {
			return
		}
		for i, o := range free {
			if !fits(o) {
				continue
			}
			if *role != nil {
				errs = append(errs, fmt.Errorf("%s and %s may both hold the %s: name one in outputs", (*role).spec, o.spec, what))
				continue
			}
			*role = &g.outputs[slices.IndexFunc(g.outputs, func(of output) bool { return of.index == free[i].index })]
		}
		if *role != nil {
			free = slices.DeleteFunc(free, func(o output) bool { return o.index == (*role).index })
		}
	}
	for _, named := range []struct {
		role       **output
		what, name string
	}{
		{&r.boxes, "boxes", g.spec.Outputs.Boxes},
		{&r.scores, "scores", g.spec.Outputs.Scores},
		{&r.labels, "labels", g.spec.Outputs.Labels},
		{&r.count, "count", g.spec.Outputs.Count},
	} {
		if named.name == "" {
			continue
		}
		if take(named.role, named.what, func(o output) bool { return o.spec.Name == named.name }); *named.role == nil {
			return nil, fmt.Errorf("outputs.%s: no output is named %q", named.what, named.name)
		}
	}
	columns := func(n int) func(o output) bool {
		return func(o output) bool { _, cols, ok := o.matrix(); return ok && cols == n }
	}
	take(&r.boxes, "boxes", columns(4))
	take(&r.boxes, "boxes", columns(5))
	if r.boxes == nil {
		return nil, nil
	}
	n, columnsOfBoxes, _ := r.boxes.matrix()
	vector := func(o output) bool { size, ok := o.vector(); return ok && size == n }
	take(&r.count, "count", func(o output) bool { return o.size() == 1 && !o.varies && (n != 1 || r.boxes.varies) })
	if columnsOfBoxes == 4 && r.labels == nil {
		take(&r.scores, "scores", func(o output) bool { rows, _, ok := o.matrix(); return ok && rows == n && !vector(o) })
	}
	if r.scores == nil || vector(*r.scores) {
		take(&r.labels, "labels", func(o output) bool { return vector(o) && o.integers() })
		if r.labels == nil && r.scores == nil && columnsOfBoxes == 4 && len(slices.DeleteFunc(slices.Clone(free), func(o output) bool { return !vector(o) })) > 1 {
			out, err := g.trial(boxesInput)
			if err != nil {
				return nil, err
			}
			take(&r.labels, "labels", func(o output) bool { return vector(o) && whole(out[o.index]) })
		}
		if columnsOfBoxes == 5 {
			take(&r.labels, "labels", vector)
		} else {
			take(&r.scores, "scores", vector)
		}
	}
	if columnsOfBoxes == 4 && r.scores == nil || columnsOfBoxes == 5 && r.labels == nil {
		return nil, nil
	}
	if len(errs) > 0 {
		return nil, errs[0]
	}
	return &r, nil
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
