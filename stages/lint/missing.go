package lint

import (
	"cmp"
	"fmt"
	"slices"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

// missing looks for objects that the model sees and no label covers. The score is the proposal's, halved for a proposal
// within a label of its class, or of one above or below, which is more likely a part or a crowd. Where there are labels and none
// of their classes is related to the model's, the dataset is about other things and the rule is silent, as it is about classes
// that the dataset never labels, where it says nothing that no label covers such a thing, and about what its rules do not want.
func missing(v *view) []schemas.Finding {
	if !v.seen || len(v.Objects) > 0 && !slices.ContainsFunc(v.Objects, v.familiar) {
		return nil
	}
	var out []schemas.Finding
next:
	for _, p := range v.wanted {
		if v.taxonomy.Unlabeled(v.Dataset, cmp.Or(p.Canonical, p.Class)) {
			continue
		}
		score := p.Score
		for _, o := range v.Objects {
			if covers(o.Box, v.related(o.Class, p.Class) || !v.known[o.Class], p.Box, v.MatchIoU) {
				continue next
			}
			if v.related(o.Class, p.Class) && max(inside(p.Box, o.Box), inside(o.Box, p.Box)) > 0.8 {
				score = min(score, p.Score/2)
			}
		}
		for _, f := range out {
			if covers(f.Box, v.related(f.Class, p.Class), p.Box, v.MatchIoU) {
				continue next
			}
		}
		box := p.Box
		out = append(out, schemas.Finding{
			Class: p.Class, Box: box, Score: score, Fix: &box,
			Why: fmt.Sprintf("The model sees %s here (score %.2f) and no label covers it.", article(p.Class), p.Score),
		})
	}
	return out
}

// familiar tells whether the model knows a label's class, one above it or one below.
func (v *view) familiar(label schemas.Object) bool {
	for class := range v.known {
		if v.related(label.Class, class) {
			return true
		}
	}
	return false
}

// sameThing is the IoU from which on two boxes are about one object whatever their classes.
const sameThing = 0.45

// covers tells whether a label and a proposal are about one object; alike says that their classes may be the same.
func covers(label geometry.Box, alike bool, proposal geometry.Box, matchIoU float64) bool {
	iou := label.IoU(proposal)
	return iou >= sameThing || alike && iou >= matchIoU
}
