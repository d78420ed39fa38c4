package lint

import (
	"fmt"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

// location doubts boxes that do not fit what the model sees. The boxes that it proposes around an object scatter about its
// outline; their mean, weighted by score (as in weighted boxes fusion, Solovyev et al. 2021), is a better guess of the
// outline than any one of them. The score grows with the label's distance from it and with the model's confidence.
func location(v *view) []schemas.Finding {
	if !v.seen {
		return nil
	}
	var out []schemas.Finding
	for _, o := range v.Objects {
		fit, ok := v.consensus(o)
		if !ok {
			continue
		}
		overlap := o.Box.IoU(fit.Box)
		score := ramp(overlap, 0.85, 0.5) * (0.1 + 0.9*ramp(float64(fit.Score), 0, 0.9))
		out = append(out, schemas.Finding{
			ObjectID: o.ID, Class: o.Class, Box: o.Box, Score: float32(score), Fix: &fit.Box,
			Why: fmt.Sprintf("The box overlaps only %.0f %% with where the model sees %s (score %.2f).", 100*overlap, article(fit.Class), fit.Score),
		})
	}
	return out
}

// consensus is the mean box of the proposals about o, with the class of the leading one and the best of their scores. Proposals of
// an unrelated class count only where the model does not know o's.
func (v *view) consensus(o schemas.Object) (fit schemas.Object, ok bool) {
	var lead schemas.Object
	var top float64
	for _, p := range v.Proposals {
		if v.known[o.Class] && !v.alike(p, o) {
			continue
		}
		iou := p.Box.IoU(o.Box)
		if iou >= v.MatchIoU && float64(p.Score)*iou > top && !v.closer(p, o) {
			lead, top = p, float64(p.Score)*iou
		}
	}
	if top == 0 {
		return lead, false
	}
	fit = schemas.Object{Class: lead.Class}
	var x1, y1, x2, y2, sum float64
	for _, p := range v.Proposals {
		if !v.related(p.Class, lead.Class) || p.Box.IoU(lead.Box) < 0.7 {
			continue
		}
		w := float64(p.Score) * float64(p.Score)
		x1, y1 = x1+w*float64(p.Box.X1), y1+w*float64(p.Box.Y1)
		x2, y2 = x2+w*float64(p.Box.X2), y2+w*float64(p.Box.Y2)
		sum += w
		fit.Score = max(fit.Score, p.Score)
	}
	fit.Box = geometry.Box{X1: float32(x1 / sum), Y1: float32(y1 / sum), X2: float32(x2 / sum), Y2: float32(y2 / sum)}
	return fit, true
}

// closer tells whether a proposal fits another label of o's class, or a related one, better than it fits o.
func (v *view) closer(p, o schemas.Object) bool {
	mine := p.Box.IoU(o.Box)
	for _, other := range v.Objects {
		if v.related(other.Class, o.Class) && p.Box.IoU(other.Box) > mine {
			return true
		}
	}
	return false
}
