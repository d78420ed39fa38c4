package score

import "math"

// Suspicion is how much a label looks like an error, in standard deviations of the run's AUM; NaN for an object without margins.
type Suspicion struct {
	// Error is how far the AUM is below the average, less η times what its class is below it by. η is the correlation ratio of classes,
	// the square root of the share of the AUM's variance that is between them, [0,1]. Where classes are alike it ranks as AUM does,
	// which ranks better than the mean loss; where some are rare, or hard as a whole, these are not the first to be suspected.
	Error float64
	// Outlier is how far the AUM is below that of its class: what tells a wrong label from a right one of a rare class, which a trainer
	// argues with as much.
	Outlier float64
}

// Suspect compares all labels of a run; out[i] is of run[i].
func Suspect(run []Member) []Suspicion {
	all, classes := sums{}, map[string]sums{}
	for _, m := range run {
		if !math.IsNaN(m.AUM) {
			all.add(m.AUM)
			s := classes[m.Class]
			s.add(m.AUM)
			classes[m.Class] = s
		}
	}
	center := all.mean()
	total, between := 0.0, 0.0
	for _, m := range run {
		if !math.IsNaN(m.AUM) {
			total += (m.AUM - center) * (m.AUM - center)
		}
	}
	for _, s := range classes {
		between += s.n * (s.mean() - center) * (s.mean() - center)
	}
	spread := max(math.Sqrt(total/all.n), leastSpread)
	eta := math.Sqrt(between/all.n) / spread
	out := make([]Suspicion, len(run))
	for i, m := range run {
		class := classes[m.Class].mean()
		out[i] = Suspicion{Error: (center - m.AUM + eta*(class-center)) / spread, Outlier: (class - m.AUM) / spread}
	}
	return out
}

// leastSpread, in logits, keeps what rounding leaves of a run whose margins are all the same from counting as spread.
const leastSpread = 1e-6

type sums struct{ n, sum float64 }

func (s *sums) add(v float64) {
	s.n++
	s.sum += v
}

func (s sums) mean() float64 { return s.sum / s.n }
