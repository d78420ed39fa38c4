package coreset

import (
	"context"
	"math"
)

// hardest picks the highest scores, as Paul et al. 2021 ("Deep Learning on a Data Diet: Finding Important Examples Early in
// Training") keep those of the highest EL2N, and Toneva et al. 2019 those most often forgotten, where what was never learned has the
// maximum. Scores are the pool's.
func hardest(_ context.Context, t *task) ([]Choice, error) { return t.highest(t.hardness), nil }

// easiest picks the lowest scores. Those of the choices are the pool's with their sign changed.
func easiest(_ context.Context, t *task) ([]Choice, error) {
	score := make([]float64, len(t.hardness))
	for i, h := range t.hardness {
		score[i] = -h
	}
	return t.highest(score), nil
}

// forgettable picks those most often forgotten, or never learned, but none that was learned and never forgotten, whose score is 0
// ("unforgettable", Toneva et al. 2019, "An Empirical Study of Example Forgetting during Deep Neural Network Learning"): where these
// are many it picks less than the budget. Scores are numbers of forgetting events.
func forgettable(_ context.Context, t *task) ([]Choice, error) {
	score := make([]float64, len(t.hardness))
	for i, h := range t.hardness {
		if score[i] = h; h <= 0 {
			score[i] = math.NaN()
		}
	}
	return t.highest(score), nil
}
