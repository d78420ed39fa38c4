package main

import (
	"math"

	"gleaner/schemas"
	"gleaner/stages/route/guarantee"
)

// levels are the thresholds of naive: i/levels.
const levels = 20

// naive reads after every audit a bound that is meant to be read once, Clopper and Pearson's (1934), for each threshold by itself,
// and accepts from the loosest whose bound is within the limit. It draws audits as the route does.
type naive struct {
	required required
	evidence [levels]guarantee.Evidence
	at       int // index of the threshold; levels: none
}

// required is how many audits it takes at the least, by the number of errors among them, for the bound to be within the limit.
type required []int

// newRequired tabulates it for so many errors.
func newRequired(limit float64, errors int) required {
	var r required
	n := 0
	for k := range errors + 1 {
		for n = max(n, k); binomial(n, k, limit) > guarantee.Alpha; {
			n++
		}
		r = append(r, n)
	}
	return r
}

// binomial is the probability of at most k errors among n at a rate.
func binomial(n, k int, rate float64) float64 {
	sum, log := 0.0, float64(n)*math.Log1p(-rate)
	for i := range k + 1 {
		sum += math.Exp(log)
		log += math.Log(float64(n-i)/float64(i+1)) + math.Log(rate/(1-rate))
	}
	return sum
}

func (p *naive) Add(a schemas.Audit) {
	for i := range int(a.Confidence*levels) + 1 {
		p.evidence[i].Add(a.Wrong)
	}
	for p.at = range levels {
		if e := p.evidence[p.at]; e.Wrong < len(p.required) && e.N >= p.required[e.Wrong] {
			return
		}
	}
	p.at = levels
}

// Unread does not bother it.
func (p *naive) Unread(int) {}

func (p *naive) Decide(id schemas.SampleID, confidence float64) guarantee.Decision {
	threshold, ok := p.Threshold()
	share := guarantee.DefaultAudit(.95)
	switch {
	case !ok:
		return guarantee.Decision{Probability: 1}
	case float64(id[0])/256 < share:
		return guarantee.Decision{Probability: share}
	}
	return guarantee.Decision{Accept: confidence >= threshold}
}

func (p *naive) Threshold() (float64, bool) { return float64(p.at) / levels, p.at < levels }

func (p *naive) Withdrawals() []guarantee.Withdrawal { return nil }
