package evaluate

import (
	"cmp"
	"math"
	"slices"
)

// Outcome is a probability that was told and what came.
type Outcome struct {
	Probability float64 // [0,1]
	Happened    bool
	Image       int // where; counts of images choose by it
}

// Outcomes are sorted by probability, as SortOutcomes leaves them.
type Outcomes []Outcome

// SortOutcomes sorts in place, so that nothing depends on the order given.
func SortOutcomes(o []Outcome) Outcomes {
	slices.SortFunc(o, func(a, b Outcome) int {
		return cmp.Or(cmp.Compare(a.Probability, b.Probability), cmp.Compare(a.Image, b.Image), cmp.Compare(truth(a.Happened), truth(b.Happened)))
	})
	return o
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (o Outcome) times(counts []int) float64 {
	if counts == nil {
		return 1
	}
	return float64(counts[o.Image])
}

// NLL is the mean negative log-likelihood in nats, the logarithmic score; probabilities count as at least 1e-6 from 0 and 1.
func (os Outcomes) NLL(counts []int) float64 {
	return os.mean(counts, func(o Outcome) float64 {
		p := min(max(o.Probability, 1e-6), 1-1e-6)
		if !o.Happened {
			p = 1 - p
		}
		return -math.Log(p)
	})
}

// Brier is the mean squared error of the probabilities.
func (os Outcomes) Brier(counts []int) float64 {
	return os.mean(counts, func(o Outcome) float64 { d := o.Probability - truth(o.Happened); return d * d })
}

func (os Outcomes) mean(counts []int, loss func(Outcome) float64) float64 {
	sum, n := 0.0, 0.0
	for _, o := range os {
		if times := o.times(counts); times > 0 {
			sum, n = sum+times*loss(o), n+times
		}
	}
	return sum / n
}

// Bin is a part of the outcomes, of neighboring probabilities.
type Bin struct {
	Told, Came float64 // mean probability, and share of what happened
	N          float64
}

// Bins divides the outcomes into bins of nearly equal numbers; equal probabilities stay together.
func (os Outcomes) Bins(counts []int, bins int) []Bin {
	total := 0.0
	for _, o := range os {
		total += o.times(counts)
	}
	var out []Bin
	var b Bin
	seen := 0.0
	for i, o := range os {
		times := o.times(counts)
		b.Told, b.Came, b.N = b.Told+times*o.Probability, b.Came+times*truth(o.Happened), b.N+times
		seen += times
		last := i+1 == len(os)
		if !last && os[i+1].Probability == o.Probability || b.N == 0 {
			continue
		}
		if last || seen >= total*float64(len(out)+1)/float64(bins) {
			out = append(out, Bin{b.Told / b.N, b.Came / b.N, b.N})
			b = Bin{}
		}
	}
	return out
}

// eceBins is the number of bins of ECE.
const eceBins = 15

// ECE is the expected calibration error over 15 bins of equal mass (Nixon et al., "Measuring calibration in deep learning",
// 2019): the mean distance of what was told from what came. Chance alone keeps it above 0, the more so in resamples.
func (os Outcomes) ECE(counts []int) float64 {
	sum, n := 0.0, 0.0
	for _, b := range os.Bins(counts, eceBins) {
		sum, n = sum+b.N*math.Abs(b.Told-b.Came), n+b.N
	}
	return sum / n
}
