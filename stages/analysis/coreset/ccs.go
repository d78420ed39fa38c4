package coreset

import (
	"context"
	"fmt"
	"slices"
)

// ccs is coverage-centric coreset selection (Zheng et al. 2023, "Coverage-centric Coreset Selection for High Pruning Rates"): the
// share Beta of the hardest is cut off, many of which are mislabeled; the rest is divided into Strata of equal width in the score;
// and these give the same number each, at random, or all that they have. Their score is AUM. Scores of the choices are ranks. Memory: 24
// bytes a sample.
func ccs(_ context.Context, t *task) ([]Choice, error) {
	strata, err := t.strata()
	if err != nil {
		return nil, err
	}
	return ranked(t.inTurn(strata, t.Strata)), nil
}

// strata returns each candidate's stratum, -1 where it was cut off.
func (t *task) strata() ([]int, error) {
	left := len(t.ids) - int(t.Beta*float64(len(t.ids)))
	if left < t.want {
		return nil, fmt.Errorf("beta %g cuts off all but %d of %d samples, fewer than the %d asked for: lower one of the two", t.Beta, left, len(t.ids), t.want)
	}
	all := *t
	all.want = len(t.ids)
	strata := make([]int, len(t.ids))
	byHardness := all.highest(t.hardness)
	for _, c := range byHardness[:len(t.ids)-left] {
		strata[c.Sample] = -1
	}
	rest := byHardness[len(t.ids)-left:]
	if len(rest) == 0 {
		return strata, nil
	}
	low, high := slices.MinFunc(rest, byScore).Score, rest[0].Score
	for _, c := range rest {
		if high > low {
			strata[c.Sample] = min(t.Strata-1, int(float64(t.Strata)*((c.Score-low)/(high-low))))
		}
	}
	return strata, nil
}

func byScore(a, b Choice) int {
	switch {
	case a.Score < b.Score:
		return -1
	case a.Score > b.Score:
		return 1
	}
	return 0
}
