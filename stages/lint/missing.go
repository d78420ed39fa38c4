package lint

import (
	"cmp"
	"fmt"
	"slices"

	"gleaner/schemas"
	"gleaner/stages/lint/evidence"
)

// missing looks for objects that the models see and no label covers. Where there are labels and none of their classes is related to
// the models', the dataset is about other things and the rule is silent, as it is about classes that the dataset never labels, where
// it says nothing that no label covers such a thing, and about what its rules do not want.
func missing(v *view) []schemas.Finding {
	if !v.seen || len(v.Objects) > 0 && !slices.ContainsFunc(v.Objects, v.familiar) {
		return nil
	}
	var wanted []evidence.Proposal
	var rows [][]float32
	for _, p := range v.scene.Proposals(MissingFloor) {
		if v.ended() {
			return nil
		}
		if v.wants(p) {
			wanted, rows = append(wanted, p), append(rows, v.scene.Absent(p))
		}
	}
	out := make([]schemas.Finding, len(wanted))
	for i, chance := range v.weights.missing(rows) {
		p, box := wanted[i], wanted[i].Box
		out[i] = schemas.Finding{
			Type: schemas.FindingMissing, Class: p.Class, Box: box, Fix: &box, FixClass: p.Class, Score: float32(chance),
			Why: fmt.Sprintf("The model sees %s here (score %.2f) and no label covers it.", article(p.Class), p.Score),
		}
	}
	return out
}

// MissingFloor is the score from which on a proposal may be missing.
const MissingFloor = 0.02

// wants tells whether the dataset wants a proposal labeled, as far as its rules and taxonomy tell. Those that they were asked about are
// prelabel's: a proposal that is none of them is judged by its class alone.
func (v *view) wants(p evidence.Proposal) bool {
	for _, q := range v.Proposals {
		if q.Class == p.Class && q.Box.IoU(p.Box) > 0.9 {
			return !v.taxonomy.Unlabeled(v.Dataset, cmp.Or(q.Canonical, q.Class)) && slices.ContainsFunc(v.wanted, func(w schemas.Object) bool { return w.ID == q.ID && w.Box == q.Box })
		}
	}
	return !v.taxonomy.Unlabeled(v.Dataset, p.Class)
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
