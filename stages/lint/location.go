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
		fit, sure, ok := v.consensus(o)
		if !ok {
			continue
		}
		apart := 1 - o.Box.IoU(fit)
		score := ramp(apart, 0.05, 0.6) * (0.3 + 0.7*ramp(sure, 0, 0.6))
		out = append(out, schemas.Finding{ObjectID: o.ID, Class: o.Class, Box: o.Box, Score: float32(score), Fix: &fit,
			Why: fmt.Sprintf("The box overlaps only %.0f %% with where the model sees the %s.", 100*(1-apart), o.Class)})
	}
	return out
}

// consensus is the mean box of the proposals about o, and the best score among them. Proposals of another class count
// only where the model does not know o's.
func (v *view) consensus(o schemas.Object) (fit geometry.Box, sure float64, ok bool) {
	var lead schemas.Object
	var top float64
	for _, p := range v.Proposals {
		if (p.Class == o.Class || !v.known[o.Class]) && !v.closer(p, o) {
			if iou := p.Box.IoU(o.Box); iou >= v.MatchIoU && float64(p.Score)*iou > top {
				lead, top = p, float64(p.Score)*iou
			}
		}
	}
	if top == 0 {
		return fit, 0, false
	}
	var sum [4]float64
	var weight float64
	for _, p := range v.Proposals {
		if p.Class != lead.Class || p.Box.IoU(lead.Box) < 0.6 {
			continue
		}
		w := float64(p.Score) * float64(p.Score)
		weight += w
		for i, x := range [4]float32{p.Box.X1, p.Box.Y1, p.Box.X2, p.Box.Y2} {
			sum[i] += w * float64(x)
		}
		sure = max(sure, float64(p.Score))
	}
	for i := range sum {
		sum[i] /= weight
	}
	return geometry.Box{X1: float32(sum[0]), Y1: float32(sum[1]), X2: float32(sum[2]), Y2: float32(sum[3])}, sure, true
}

// closer tells whether a proposal fits another label of o's class better than it fits o.
func (v *view) closer(p, o schemas.Object) bool {
	mine := p.Box.IoU(o.Box)
	for _, other := range v.Objects {
		if other.Class == o.Class && p.Box.IoU(other.Box) > mine {
			return true
		}
	}
	return false
}
