package lint

import (
	"fmt"
	"math"

	"gleaner/schemas"
)

// spurious doubts labels that the model does not see at all, or sees as something else. Small things escape a model, so
// its silence weighs less the smaller the box is against the image. Where a person vouches for a label, a glimpse of it is
// support enough; a label that the model itself made needs a good score. To see a class above the label's, or below, is support,
// too, unless the model has a class for such things and saw a sister of it. But to know only such a class is not to know the
// label's, and silence proves nothing.
func spurious(v *view) []schemas.Finding {
	if !v.seen {
		return nil
	}
	enough := 0.2
	if v.Rank < schemas.RankHuman {
		enough = 0.7
	}
	var out []schemas.Finding
	for _, o := range v.Objects {
		if !v.known[o.Class] || o.Box.Empty() {
			continue
		}
		var same, other float64
		var instead string
		for _, p := range v.Proposals {
			if p.Box.IoU(o.Box) < v.MatchIoU {
				continue
			}
			switch s := float64(p.Score); {
			case v.alike(p, o):
				same = max(same, s)
			case s > other:
				other, instead = s, p.Class
				if _, class, ok := p.Origin(); ok && p.Refine {
					instead = class
				}
			}
		}
		side := math.Sqrt(o.Box.Area() / max(float64(v.Image.W)*float64(v.Image.H), 1))
		score := (1 - ramp(same, 0, enough)) * (0.2 + 0.8*ramp(side, 0, 0.15))
		why := fmt.Sprintf("The model sees no %s here.", o.Class)
		switch {
		case same > 0:
			why = fmt.Sprintf("The model is little sure of %s here (score %.2f).", article(o.Class), same)
		case instead != "":
			why = fmt.Sprintf("The model sees %s here (score %.2f), not %s.", article(instead), other, article(o.Class))
		}
		out = append(out, schemas.Finding{ObjectID: o.ID, Class: o.Class, Box: o.Box, Score: float32(score), Why: why})
	}
	return out
}
