package main

import (
	"context"
	"math/rand/v2"
	"slices"

	"gleaner/schemas"
	"gleaner/stages/lint"
	"gleaner/stages/lint/evidence"
)

// strange is the chance that a label of a dataset whose classes no model knows is missing.
const strange = 0.2

// collectAlike makes of the pictures datasets whose classes no model knows, with labels of some classes only, and takes some of these away:
// what the models see where they were is one more of what the labels name, and what else they see is not.
func (b *bench) collectAlike(ctx context.Context, r evidenceOf, set []*picture, draws int, keep func(i int) bool) error {
	classes := labeled(set)
	for d := range draws {
		random := rand.New(rand.NewPCG(uint64(d), 4)) //nolint:gosec // not below 0
		named := map[string]bool{}
		for range 1 + random.IntN(4) {
			p := set[random.IntN(len(set))]
			if n := len(p.sample.Objects); n > 0 { // frequent classes are drawn more often
				named[p.sample.Objects[random.IntN(n)].Class] = true
			}
		}
		if random.IntN(4) == 0 {
			for _, class := range classes {
				named[class] = true
			}
		}
		drawn := make([]noisy, len(set))
		for i, p := range set {
			for _, o := range p.sample.Objects {
				switch {
				case !named[o.Class]:
				case random.Float64() < strange:
					drawn[i].deleted = append(drawn[i].deleted, o)
				default:
					drawn[i].labels = append(drawn[i].labels, o)
				}
			}
		}
		habits := habitsOf(set, keep, func(i int) []schemas.Object { return drawn[i].labels })
		v := views[d%len(views)]
		err := r.of(v).gather(ctx, set, func(i int) bool { return keep(i) && len(drawn[i].labels) > 0 }, func(i int) (*rows, error) {
			s, err := b.seen(ctx, set[i], v, drawn[i].labels)
			if err != nil {
				return nil, err
			}
			with := evidence.Context{Maps: b.maps, Related: func(_ schemas.Object, classes []string) []bool { return make([]bool, len(classes)) }, Image: set[i].img, Habits: habits}
			switch d % 5 {
			case 3:
				with.Image = nil
			case 4:
				with.Habits = nil
			}
			if d%7 == 6 { // as where the dataset has no use for the models' classes
				nameless(s.Candidates)
			}
			of := &rows{}
			scene := evidence.New(s, with)
			exemplars := scene.Exemplars(func(schemas.Object) bool { return true })
			taken := make([]bool, len(drawn[i].deleted))
			for _, t := range scene.Things(lint.ThingFloor) {
				if right, counts := claim(drawn[i].deleted, taken, t.Box); counts {
					_, row := exemplars.Alike(t)
					of.alike, of.more = append(of.alike, row), append(of.more, right)
				}
			}
			return of, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// nameless takes from cells by which names the models call what they see.
func nameless(candidates []schemas.Candidates) {
	for i := range candidates {
		candidates[i].Cells = slices.Clone(candidates[i].Cells)
		for k := range candidates[i].Cells {
			candidates[i].Cells[k].Scores = nil
		}
	}
}
