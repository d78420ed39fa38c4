package score

import "gleaner/schemas"

// Forgetting is what Toneva et al. count, "An Empirical Study of Example Forgetting during Deep Neural Network Learning", ICLR
// 2019: an object is forgotten at a presentation that is classified wrongly right after one that was classified correctly.
type Forgetting struct {
	Events       int    // presentations at which it was forgotten
	Learned      bool   // classified correctly at least once
	FirstLearned uint32 // epoch of the first correct presentation; 0 unless Learned
}

// ForgettingOf counts on a curve.
func ForgettingOf(c schemas.Curve) Forgetting {
	var f Forgetting
	for i, right := range c.Correct {
		if right && !f.Learned {
			f.Learned, f.FirstLearned = true, c.Epochs[i]
		}
		if i > 0 && c.Correct[i-1] && !right {
			f.Events++
		}
	}
	return f
}

// Unforgettable reports whether the object was learned and never forgotten.
func (f Forgetting) Unforgettable() bool { return f.Learned && f.Events == 0 }

// Rank is what objects are ordered by: the events, and for one never learned, which the paper ranks as forgotten infinitely often,
// the number of its presentations, which events cannot reach.
func (s Scores) Rank() int {
	if s.Learned {
		return s.Events
	}
	return s.Presentations
}
