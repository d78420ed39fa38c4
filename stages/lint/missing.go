package lint

import (
	"fmt"

	"gleaner/schemas"
)

// missing looks for objects that the model sees and no label covers. The score is the model's own, halved for a proposal
// within a label of its class, which is more likely a part or a crowd. Objects that the model itself proposed leave
// only what it was unsure of, so that the scores stay below the threshold of acceptance.
func missing(v *view) []schemas.Finding {
	if !v.seen {
		return nil
	}
	var out []schemas.Finding
next:
	for _, p := range v.Proposals {
		score := p.Score
		for _, o := range v.Objects {
			if p.Box.IoU(o.Box) >= v.MatchIoU && o.Class == p.Class || p.Box.IoU(o.Box) >= sameThing {
				continue next
			}
			if o.Class == p.Class && max(inside(p.Box, o.Box), inside(o.Box, p.Box)) > 0.8 {
				score = min(score, p.Score/2)
			}
		}
		for _, f := range out {
			if p.Box.IoU(f.Box) >= v.MatchIoU && f.Class == p.Class || p.Box.IoU(f.Box) >= sameThing {
				continue next
			}
		}
		box := p.Box
		out = append(out, schemas.Finding{Class: p.Class, Box: box, Score: score, Fix: &box,
			Why: fmt.Sprintf("The model sees a %s here (score %.2f) and no label covers it.", p.Class, p.Score)})
	}
	return out
}

// sameThing is the IoU from which on two boxes are about one object whatever their classes.
const sameThing = 0.55
