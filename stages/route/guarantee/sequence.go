package guarantee

import (
	"cmp"
	"math"
	"slices"
)

// pilot is how many images of a period are looked at only to see what confidences there are and where errors begin: thresholds and
// the order of their tests are chosen from these, so nothing is tested on them.
const pilot = 100

// Thresholds are the confidences above which these shares of the pilot lie.
var shares = [...]float64{.1, .15, .2, .25, .3, .35, .4, .45, .5, .55, .6, .65, .7, .75, .8, .85, .9, .95, 1}

// Thresholds are tested in two sequences, each with a part of alpha, from a first one to ever looser ones. A sequence ends at the
// first that the evidence does not speak for, so its part need not be divided further (fixed sequence testing; Angelopoulos et
// al., "Learn then test", 2021). One begins where the pilot promises the soonest end, the other where the score is surest.
var parts = [...]float64{.8, .2}

const (
	surest   = 2  // index of the share at which the second sequence begins
	hopeless = -4 // logarithm of the wealth below which later images, were they better, could hardly make up for the earlier
)

// sequence is the tests of one period.
type sequence struct {
	limit  float64 // that the evidence has to speak against
	steady float64 // that the estimate has to lie below besides
	alpha  float64
	odds   *odds

	first      []trial   // the pilot, until it is complete
	thresholds []float64 // one of each of shares, not rising; nil: the pilot is not complete
	evidence   [len(shares)]Evidence
	from, at   [len(parts)]int // the threshold that each sequence began with, and that it tests now
}

// trial is one image of a pilot.
type trial struct {
	confidence float64
	wrong      bool
}

func newSequence(limit, steady, alpha float64) sequence {
	return sequence{limit: limit, steady: steady, alpha: alpha, odds: newOdds(limit)}
}

// add takes in an audit.
func (s *sequence) add(confidence float64, wrong bool) {
	if s.thresholds == nil {
		if s.first = append(s.first, trial{confidence, wrong}); len(s.first) == pilot {
			s.choose()
		}
		return
	}
	for i := len(shares) - 1; i >= 0 && confidence >= s.thresholds[i]; i-- {
		s.evidence[i].Add(wrong)
	}
	for i, part := range parts {
		for s.at[i] < len(shares) && confidence >= s.thresholds[s.at[i]] && s.evidence[s.at[i]].logWealth(s.odds) >= -math.Log(s.alpha*part) {
			s.at[i]++
		}
	}
}

// choose ends the pilot.
func (s *sequence) choose() {
	slices.SortFunc(s.first, func(a, b trial) int { return cmp.Compare(b.confidence, a.confidence) })
	const believed = 50 // images' worth of belief in a rate of a third of what is steady
	var seen Evidence
	best := math.Inf(-1)
	for i, share := range shares {
		for seen.N < int(math.Round(share*pilot)) {
			seen.Add(s.first[seen.N].wrong)
		}
		s.thresholds = append(s.thresholds, s.first[seen.N-1].confidence)
		// Wealth grows by the divergence of the rate from the limit with every audit, and audits come as often as the share says.
		p := (float64(seen.Wrong) + believed*s.steady/3) / float64(seen.N+believed)
		growth := share * (p*math.Log(p/s.limit) + (1-p)*math.Log((1-p)/(1-s.limit)))
		if p < s.limit && growth > best {
			best, s.from[0] = growth, i
		}
	}
	s.thresholds[len(shares)-1] = 0 // everything
	s.from[1] = surest
	s.at, s.first = s.from, nil
}

// certified is the index of the threshold to accept from, and whether there is one: the loosest that has been certified and whose
// error rate, by its estimate and a standard deviation, is steady now.
func (s *sequence) certified() (int, bool) {
	most := -1
	for i := range parts {
		for k := s.at[i] - 1; k >= s.from[i] && k > most; k-- {
			e := s.evidence[k]
			if wrong := float64(e.Wrong) + .5; wrong+math.Sqrt(wrong) <= s.steady*float64(e.N+1) {
				most = k
			}
		}
	}
	return most, most >= 0
}

// ended reports whether nothing can be expected of this period any more.
func (s *sequence) ended() bool {
	if s.thresholds == nil || s.at != s.from {
		return false
	}
	for _, i := range s.at {
		if s.evidence[i].logWealth(s.odds) > hopeless {
			return false
		}
	}
	return true
}
