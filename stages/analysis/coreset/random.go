package coreset

import (
	"cmp"
	"context"
	"slices"
)

// random picks uniformly: the samples of the highest draws, which are the scores. A smaller budget picks of the same samples.
func random(_ context.Context, t *task) ([]Choice, error) { return t.highest(t.draws("random")), nil }

// balanced picks at random the same number of every class, what small classes leave being shared by the others: the best of each
// class first, then the second. Scores are ranks.
func balanced(_ context.Context, t *task) ([]Choice, error) {
	return ranked(t.inTurn(t.classes, t.names)), nil
}

// inTurn orders up to want candidates at random, one of every group in turn; group -1 is left out. It is water-filling: each group
// gets the same number, or all that it has.
func (t *task) inTurn(group []int, groups int) []int {
	draws := t.draws("random")
	members := make([][]int, groups)
	for i, g := range group {
		if g >= 0 {
			members[g] = append(members[g], i)
		}
	}
	for _, m := range members {
		slices.SortFunc(m, func(a, b int) int { return cmp.Or(cmp.Compare(draws[b], draws[a]), cmp.Compare(a, b)) })
	}
	var places []int
	for round := 0; len(places) < t.want; round++ {
		var turn []int
		for _, m := range members {
			if round < len(m) {
				turn = append(turn, m[round])
			}
		}
		if len(turn) == 0 {
			break
		}
		// The last round may not suffice for all: who draws the most has it.
		slices.SortFunc(turn, func(a, b int) int { return cmp.Or(cmp.Compare(draws[b], draws[a]), cmp.Compare(a, b)) })
		places = append(places, turn...)
	}
	return places[:min(t.want, len(places))]
}
