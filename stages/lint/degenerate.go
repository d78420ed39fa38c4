package lint

import (
	"fmt"
	"math"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

// degenerate doubts labels that cannot be right whatever the image shows: no class, no area, out of the frame, a sliver.
func degenerate(v *view) []schemas.Finding {
	var out []schemas.Finding
	for _, o := range v.Objects {
		f := schemas.Finding{Type: schemas.FindingDegenerate, ObjectID: o.ID, Class: o.Class, Box: o.Box}
		w, h := float64(o.Box.W()), float64(o.Box.H())
		cut := o.Box.Clip(v.Image.W, v.Image.H)
		turned := geometry.Box{X1: min(o.Box.X1, o.Box.X2), Y1: min(o.Box.Y1, o.Box.Y2), X2: max(o.Box.X1, o.Box.X2), Y2: max(o.Box.Y1, o.Box.Y2)}.Clip(v.Image.W, v.Image.H)
		short, long := min(w, h), max(w, h)
		switch {
		case !finite(w, h):
			f.Score, f.Why = 1, "The box has coordinates that are no numbers."
			f.Box = cut
		case o.Box.Empty() && min(turned.W(), turned.H()) >= v.MinSide:
			f.Score, f.Fix = 1, &turned
			f.Why = fmt.Sprintf("The box's corners are the wrong way round: put right it is %.0f wide and %.0f high.", turned.W(), turned.H())
		case o.Box.Empty():
			f.Score, f.Why = 1, fmt.Sprintf("The box covers no area: it is %.0f wide and %.0f high.", w, h)
		case cut.Empty():
			f.Score, f.Why = 1, "The box lies outside the image."
		case o.Class == "":
			f.Score, f.Why = 1, "The box has no class."
		case inside(o.Box, cut) < 0.98:
			out := 1 - inside(o.Box, cut)
			f.Score, f.Why = float32(0.5+out/2), fmt.Sprintf("%.0f %% of the box lies outside the image.", 100*out)
			f.Fix = &cut
		case short < float64(v.MinSide):
			f.Score, f.Why = 0.9, fmt.Sprintf("The box is only %.1f pixels across.", short)
		case long/short > float64(v.MaxAspect):
			f.Score = float32(0.5 + 0.5*ramp(long/short, float64(v.MaxAspect), 4*float64(v.MaxAspect)))
			f.Why = fmt.Sprintf("The box is a sliver: one side is %.0f times the other.", long/short)
		default:
			continue
		}
		out = append(out, f)
	}
	return out
}

func finite(values ...float64) bool {
	for _, x := range values {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return false
		}
	}
	return true
}
