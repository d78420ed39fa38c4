package score

import "math"

// Spread is a score of one object over several runs, such as seeds.
type Spread struct {
	Runs   int     // that have the score
	Mean   float64 // NaN of none
	Spread float64 // standard deviation over the runs, over n - 1; NaN of fewer than two
}

// Across takes the scores of one object in several runs together, but those that are NaN.
func Across(runs []float64) Spread {
	var known []float64
	for _, v := range runs {
		if !math.IsNaN(v) {
			known = append(known, v)
		}
	}
	s := Spread{Runs: len(known), Mean: math.NaN(), Spread: math.NaN()}
	if s.Runs > 0 {
		total := 0.0
		for _, v := range known {
			total += v
		}
		s.Mean = total / float64(s.Runs)
	}
	if s.Runs > 1 {
		s.Spread = deviation(known)
	}
	return s
}
