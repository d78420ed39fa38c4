// Package forgetting counts forgetting events on the curve of one object.
//
// Toneva et al., "An Empirical Study of Example Forgetting during Deep Neural Network Learning", ICLR 2019: an object is
// learned at a presentation that is classified correctly after one that was not (or at the first), and forgotten at a
// presentation that is classified wrongly after one that was right. The view forgetting in ClickHouse counts the same events for
// whole runs, and ranks by them.
package forgetting

import "gleaner/schemas"

// Score is what a curve says about forgetting.
type Score struct {
	Events       int    // transitions from right to wrong between consecutive presentations
	Learned      bool   // classified correctly at least once
	FirstLearned uint32 // epoch of the first correct presentation; meaningless unless Learned
}

// Of scores a curve whose presentations are in epoch order.
func Of(c schemas.Curve) Score {
	var s Score
	for i, right := range c.Correct {
		if right && !s.Learned {
			s.Learned, s.FirstLearned = true, c.Epochs[i]
		}
		if i > 0 && c.Correct[i-1] && !right {
			s.Events++
		}
	}
	return s
}
