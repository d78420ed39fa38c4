// Package score says what a sample's curve of losses, margins and probabilities is worth: the scores of the literature on training
// dynamics, one file a paper, as pure functions of a schemas.Curve.
//
// These are the definitions. ClickHouse computes the same in its view scores, out of the blocks that the analysis step folds
// (schemas/clickhouse/0015_scores.sql); tests hold the two together to 1e-6, and both to straight NumPy.
//
// Curves are in epoch order with one presentation an epoch. A value that is not finite is left out of whatever would read it, so a
// step that overflowed spoils nothing but itself; a score with nothing to read is NaN.
package score

import (
	"fmt"
	"iter"
	"math"

	"gleaner/schemas"
)

// Config holds what papers leave open.
type Config struct {
	Early  uint32 // EL2N and GraNd read the epochs below this one
	Window int    // presentations in a window of Dyn-Unc, at least 2
}

// DefaultConfig is what the view scores in ClickHouse has: the first 10 epochs, and the papers' windows of 10.
func DefaultConfig() Config { return Config{Early: 10, Window: 10} }

// Validate refuses what no score could be computed with.
func (c Config) Validate() error {
	if c.Early < 1 {
		return fmt.Errorf("score: early %d: must be at least 1 epoch", c.Early)
	}
	if c.Window < 2 {
		return fmt.Errorf("score: window %d: must be at least 2 presentations", c.Window)
	}
	return nil
}

// Scores are what one curve says, whatever the other curves of its run are like.
type Scores struct {
	Presentations int
	NotFinite     int // presentations whose loss is not a finite number
	Forgetting
	Cartography
	AUM      float64 // logits
	MeanLoss float64 // nats
	EL2N     float64 // [0,√2]
	GraNd    float64
	DynUnc   float64 // [0,√(J/4(J-1))] for windows of J
	Trend
}

// Of scores a curve; cfg must be valid.
func Of(cfg Config, c schemas.Curve) Scores {
	return Scores{
		Presentations: c.Len(),
		NotFinite:     c.Len() - count(finite(c.Loss)),
		Forgetting:    ForgettingOf(c),
		Cartography:   CartographyOf(c),
		AUM:           AUM(c),
		MeanLoss:      mean(finite(c.Loss)),
		EL2N:          EL2N(c, cfg.Early),
		GraNd:         GraNd(c, cfg.Early),
		DynUnc:        DynUnc(c, cfg.Window),
		Trend:         TrendOf(c),
	}
}

// finite yields the finite values of a column with their positions, in order.
func finite(column []float32) iter.Seq2[int, float64] {
	return func(yield func(int, float64) bool) {
		for i, v := range column {
			if f := float64(v); isFinite(f) && !yield(i, f) {
				return
			}
		}
	}
}

func isFinite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }

func count(values iter.Seq2[int, float64]) (n int) {
	for range values {
		n++
	}
	return n
}

// mean is NaN where there are no values.
func mean(values iter.Seq2[int, float64]) float64 {
	sum, n := 0.0, 0
	for _, v := range values {
		sum += v
		n++
	}
	return sum / float64(n)
}
