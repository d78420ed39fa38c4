package evaluate

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Interval is a figure with the middle 95 % of what it is when the images are drawn anew.
type Interval struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// Bootstrap returns a statistic of all of n images and its interval by percentiles over resamples of them (Efron 1979). The
// statistic gets how often each image counts, nil for once each, and must not keep it; of a resample it may be NaN, which
// passes that one over. The difference of two systems as the statistic makes it the paired bootstrap.
func Bootstrap(n, resamples int, seed uint64, statistic func(counts []int) float64) Interval {
	out := Interval{Value: statistic(nil), Low: math.NaN(), High: math.NaN()}
	r := rand.New(rand.NewPCG(seed, 0))
	counts, values := make([]int, n), make([]float64, 0, resamples)
	for range resamples {
		clear(counts)
		for range n {
			counts[r.IntN(n)]++
		}
		if v := statistic(counts); !math.IsNaN(v) {
			values = append(values, v)
		}
	}
	if len(values) > 0 {
		slices.Sort(values)
		out.Low, out.High = values[int(0.025*float64(len(values)))], values[int(0.975*float64(len(values)))]
	}
	return out
}

// Difference is the paired bootstrap of the mean average precision of a over that of b, of the same images.
func Difference(a, b *Precision, resamples int, seed uint64) Interval {
	return Bootstrap(a.images, resamples, seed, func(counts []int) float64 { return a.Mean(counts) - b.Mean(counts) })
}
