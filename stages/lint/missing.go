package lint

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/lint/evidence"
)

// missing looks for objects that no label covers: those of classes that the models know, and where labels name what no model knows, those
// that resemble them. A thing that is both is told once.
func missing(v *view) []schemas.Finding {
	if !v.seen {
		return nil
	}
	turned := slices.DeleteFunc(degenerate(v), func(d schemas.Finding) bool { return d.Fix == nil || !d.Box.Empty() })
	labeled := func(f schemas.Finding) bool { // by a box the wrong way round
		return slices.ContainsFunc(turned, func(d schemas.Finding) bool { return d.Fix.IoU(f.Box) >= oneThing && v.related(d.Class, f.Class) })
	}
	named := slices.DeleteFunc(v.named(), labeled)
	all := slices.Concat(named, slices.DeleteFunc(v.resembling(), labeled))
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(all[b].Score, all[a].Score) })
	var kept []int
	for _, i := range order {
		if !slices.ContainsFunc(kept, func(k int) bool { return (k < len(named)) != (i < len(named)) && all[k].Box.IoU(all[i].Box) > 0.5 }) {
			kept = append(kept, i)
		}
	}
	out := make([]schemas.Finding, len(kept))
	for i, k := range kept {
		out[i] = all[k]
	}
	return out
}

// named are objects of the models' classes. Where there are labels and none of their classes is related to the models', the dataset is
// about other things and the rule is silent, as it is about classes that the dataset never labels, where
// it says nothing that no label covers such a thing, and about what its rules do not want.
func (v *view) named() []schemas.Finding {
	if len(v.Objects) > 0 && !slices.ContainsFunc(v.Objects, v.familiar) {
		return nil
	}
	var wanted []evidence.Proposal
	var rows [][]float32
	for _, p := range v.scene.Proposals(MissingFloor) {
		if v.ended() {
			return nil
		}
		again := slices.ContainsFunc(wanted, func(q evidence.Proposal) bool { // by a class above or below
			return q.Class != p.Class && v.related(q.Class, p.Class) && p.Box.IoU(q.Box) > oneThing
		})
		if !again && v.wants(p) {
			wanted, rows = append(wanted, p), append(rows, v.scene.Absent(p))
		}
	}
	out := make([]schemas.Finding, len(wanted))
	for i, chance := range v.weights.missing(v.manner, schemas.FindingMissing, rows) {
		p := wanted[i]
		out[i] = absent(p.Class, p.Box, chance, fmt.Sprintf("%s sees %s here (score %.2f) and no label covers it.", v.one(), article(p.Class), p.Score))
	}
	return out
}

// resembling are things that look like labels whose classes no model knows: the models see that something is there, and shape, color and what
// they call it are like those labels'.
func (v *view) resembling() []schemas.Finding {
	rows := make([][]float32, len(v.likenesses))
	for i, l := range v.likenesses {
		rows[i] = l.evidence
	}
	out := make([]schemas.Finding, len(rows))
	for i, chance := range v.weights.missing(v.manner, MissingAlike, rows) {
		l := v.likenesses[i]
		out[i] = absent(l.class, l.box, chance, fmt.Sprintf("Something is here that looks like %s of this image, and no label covers it.", article(l.class)))
	}
	return out
}

// likeness is a thing that may be one more of what labels name whose class no model knows.
type likeness struct {
	class    string
	box      geometry.Box
	evidence []float32
}

// likenesses are those that the dataset wants labeled.
func (l *Lint) likenesses(ctx context.Context, v *view) (out []likeness, err error) {
	if !v.seen || slices.Contains(v.Off, schemas.FindingMissing) {
		return nil, nil
	}
	exemplars := v.scene.Exemplars(func(label schemas.Object) bool { return !v.familiar(label) })
	if exemplars.None() {
		return nil, nil
	}
	var all []likeness
	var objects []schemas.Object
	for i, t := range v.scene.Things(ThingFloor) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		class, row := exemplars.Alike(t)
		all = append(all, likeness{class, t.Box, row})
		objects = append(objects, schemas.Object{ID: strconv.Itoa(i), Class: class, Box: t.Box, Score: t.Score})
	}
	wanted, err := l.Demands.Keep(ctx, v.Sample, objects)
	if err != nil {
		return nil, err
	}
	for i, o := range objects {
		if !v.taxonomy.Unlabeled(v.Dataset, o.Class) && slices.ContainsFunc(wanted, func(w schemas.Object) bool { return w.ID == o.ID }) {
			out = append(out, all[i])
		}
	}
	return out, nil
}

func absent(class string, box geometry.Box, chance float64, why string) schemas.Finding {
	return schemas.Finding{Type: schemas.FindingMissing, Class: class, Box: box, Fix: &box, FixClass: class, Score: float32(chance), Why: why}
}

// oneThing is the IoU of two proposals of related classes from which on they are about one thing.
const oneThing = 0.3

// Scores from which on a proposal may be missing, and a thing that the models have no name for.
const (
	MissingFloor = 0.02
	ThingFloor   = 0.1
)

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
	yes, ok := v.familiars[label.Class]
	if !ok {
		for class := range v.known {
			yes = yes || v.related(label.Class, class)
		}
		v.familiars[label.Class] = yes
	}
	return yes
}
