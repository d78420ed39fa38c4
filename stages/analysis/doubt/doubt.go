// Package doubt picks the labels that a training run argues with.
package doubt

import (
	"cmp"
	"container/heap"
	"fmt"
	"iter"
	"slices"

	"gleaner/schemas"
	"gleaner/stages/analysis/score"
)

// Config bounds what is sent back to people.
type Config struct {
	Max             int `yaml:"max"`              // at most this many objects a run, up to 10,000 so that a selection stays under 4 MiB
	MinPresentation int `yaml:"min_presentation"` // curves with fewer presentations say nothing
}

// DefaultConfig sends at most twenty objects back, after at least five epochs.
func DefaultConfig() Config { return Config{Max: 20, MinPresentation: 5} }

// Validate refuses a configuration that could pick nothing or anything.
func (c Config) Validate() error {
	if c.Max < 1 || c.Max > 10_000 {
		return fmt.Errorf("doubt.max: %d: must be 1 to 10000", c.Max)
	}
	if c.MinPresentation < 1 {
		return fmt.Errorf("doubt.min_presentation: %d: must be at least 1", c.MinPresentation)
	}
	return nil
}

// Pick returns the objects whose AUM is negative, the most negative first, at most cfg.Max. It holds no more than that in
// memory, however many curves there are. Picks of equal score are ordered by sample and object.
func Pick(cfg Config, curves iter.Seq2[schemas.Curve, error]) ([]schemas.Pick, error) {
	var worst leastDoubtful
	for c, err := range curves {
		if err != nil {
			return nil, err
		}
		aum := score.AUM(c)
		if c.Len() < cfg.MinPresentation || !(aum < 0) {
			continue
		}
		p := schemas.Pick{SampleID: c.SampleID, ObjectID: c.ObjectID, Score: -aum, Weight: 1, Reason: reason(c, aum)}
		switch {
		case len(worst) < cfg.Max:
			heap.Push(&worst, p)
		case compare(p, worst[0]) < 0:
			worst[0] = p
			heap.Fix(&worst, 0)
		}
	}
	picks := []schemas.Pick(worst)
	slices.SortFunc(picks, compare)
	return picks, nil
}

func reason(c schemas.Curve, aum float64) string {
	f := score.ForgettingOf(c)
	switch {
	case !f.Learned:
		return fmt.Sprintf("a trainer never agreed with this label in %d epochs (mean margin %.2f)", c.Len(), aum)
	case f.Events > 0:
		return fmt.Sprintf("a trainer forgot this label %d times in %d epochs (mean margin %.2f)", f.Events, c.Len(), aum)
	}
	return fmt.Sprintf("a trainer agreed with this label only from epoch %d of %d (mean margin %.2f)", f.FirstLearned, c.Len(), aum)
}

// compare orders picks from the most to the least doubtful.
func compare(a, b schemas.Pick) int {
	return cmp.Or(
		cmp.Compare(b.Score, a.Score),
		slices.Compare(a.SampleID[:], b.SampleID[:]),
		cmp.Compare(a.ObjectID, b.ObjectID),
	)
}

// leastDoubtful is a heap with the least doubtful pick on top.
type leastDoubtful []schemas.Pick

func (h leastDoubtful) Len() int           { return len(h) }
func (h leastDoubtful) Less(i, j int) bool { return compare(h[i], h[j]) > 0 }
func (h leastDoubtful) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *leastDoubtful) Push(x any)        { *h = append(*h, x.(schemas.Pick)) }
func (h *leastDoubtful) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
