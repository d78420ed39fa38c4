package score

import (
	"cmp"
	"math"
	"slices"
)

// Kind is what an object is to a trainer.
type Kind string

// The kinds, the first that holds in this order: unknown, label_error, edge, easy, hard. Edge cases are told from wrong labels by the
// trainer's not preferring another class. Conditions on probabilities hold where these are unknown.
const (
	Unknown    Kind = "unknown"     // fewer than MinPresentations presentations, or no margins
	LabelError Kind = "label_error" // suspected: another class is preferred (AUM below 0), the label is hardly believed (confidence below MaxErrorConfidence), and more so than usual in its class (Outlier of at least MinOutlier)
	Edge       Kind = "edge"        // its loss rises while training goes on, at a false discovery rate of MaxEdgeRate
	Easy       Kind = "easy"        // preferred (AUM above 0) and believed (confidence of at least MinEasyConfidence)
	Hard       Kind = "hard"
)

const (
	MinPresentations   = 5
	MaxEdgeRate        = 0.05
	MinOutlier         = 1
	MaxErrorConfidence = 0.2
	MinEasyConfidence  = 0.5
)

// Member is an object of a run with the class of its label.
type Member struct {
	Class string // empty: unknown, which is a class of its own
	Scores
}

// Verdict is what a run's objects, compared with each other, say of one.
type Verdict struct {
	Q float64 // Trend.P after Benjamini and Hochberg: the false discovery rate at which the loss is said to rise, [0,1]
	Suspicion
	Kind Kind
}

// Judge compares all objects of a run; out[i] is of run[i]. It holds some 100 bytes an object.
func Judge(run []Member) []Verdict {
	p := make([]float64, len(run))
	for i, m := range run {
		p[i] = m.P
	}
	q, suspicions := BenjaminiHochberg(p), Suspect(run)
	out := make([]Verdict, len(run))
	for i, m := range run {
		out[i] = Verdict{Q: q[i], Suspicion: suspicions[i], Kind: kind(m.Scores, q[i], suspicions[i].Outlier)}
	}
	return out
}

func kind(s Scores, q, outlier float64) Kind {
	switch {
	case s.Presentations < MinPresentations || math.IsNaN(s.AUM):
		return Unknown
	case s.AUM < 0 && !(s.Confidence >= MaxErrorConfidence) && outlier >= MinOutlier:
		return LabelError
	case q <= MaxEdgeRate:
		return Edge
	case s.AUM > 0 && !(s.Confidence < MinEasyConfidence):
		return Easy
	}
	return Hard
}

// BenjaminiHochberg corrects p-values for their number: q[i] is the least false discovery rate at which test i is rejected
// ("Controlling the False Discovery Rate", JRSS B 1995). Values that are NaN are no tests, and stay NaN.
func BenjaminiHochberg(p []float64) []float64 {
	q := slices.Clone(p)
	var order []int
	for i, v := range p {
		if !math.IsNaN(v) {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(p[i], p[j]) })
	least := 1.0
	for k := len(order) - 1; k >= 0; k-- {
		i := order[k]
		least = min(least, p[i]*float64(len(order))/float64(k+1))
		q[i] = least
	}
	return q
}
