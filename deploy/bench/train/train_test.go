package main

import (
	"math"
	"slices"
	"testing"

	"gleaner/stages/analysis/score"
)

// TestInterval compares with 2.776 standard errors worked out apart.
func TestInterval(t *testing.T) {
	if got := interval([]float64{1.2, -0.4, 0.9, 2.1, 0.3}); got != "+0.82 ± 1.17" {
		t.Error(got)
	}
}

func TestDifferences(t *testing.T) {
	if got := apart([]float64{0.5, 2, 103}, []float64{0.4, 2, 100}); math.Abs(got-0.1) > 1e-12 {
		t.Error(got)
	}
	if got := differs([]float64{1, 1}, []float64{4, 5.5}, []float64{4, 5}); math.Abs(got-0.1) > 1e-12 {
		t.Error(got)
	}
}

func TestWhatWasNeverLearnedIsForgottenMost(t *testing.T) {
	samples := []remembered{
		{Forgetting: score.Forgetting{}, loss: 1},
		{Forgetting: score.Forgetting{Events: 3, Learned: true}, loss: 5},
		{Forgetting: score.Forgetting{Learned: true}, loss: 2},
		{Forgetting: score.Forgetting{Learned: true}, loss: 1},
	}
	slices.SortFunc(samples, remembered.compare)
	var losses []float64
	for _, s := range samples {
		losses = append(losses, s.loss)
	}
	if !slices.Equal(losses, []float64{1, 2, 5, 1}) || samples[3].Learned {
		t.Error(samples)
	}
}
