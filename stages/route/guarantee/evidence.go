package guarantee

import "math"

// bets are what the evidence wagers on: error rates as shares of the limit that is tested, and how much of the wealth begins on
// each. The first is for a score that separates perfectly; a single error loses that part alone.
var bets = [...]struct{ share, weight float64 }{{0, .4}, {1. / 8, .2}, {1. / 4, .2}, {1. / 2, .15}, {3. / 4, .05}}

// odds are what an audit with and without an error multiplies each bet by, as logarithms.
type odds struct{ right, wrong [len(bets)]float64 }

func newOdds(limit float64) *odds {
	o := &odds{}
	for i, b := range bets {
		o.right[i], o.wrong[i] = math.Log((1-b.share*limit)/(1-limit)), math.Log(b.share)
	}
	return o
}

// Evidence counts independent audits of one set of images. It tests by betting: its wealth against a limit is what a gambler has
// who began with 1 and wagered on fewer errors at odds that are fair when the rate is the limit. If the rate is the limit or above,
// then whatever comes and whenever one looks, wealth reaches 1/alpha with probability alpha at most (Ville's inequality;
// Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", 2024). The wagers are a mixture of fixed
// rates, so wealth follows from the counts alone.
type Evidence struct {
	N     int `json:"n"`     // audits
	Wrong int `json:"wrong"` // of these, with an error that the person mended
}

// Add counts one audit.
func (e *Evidence) Add(wrong bool) {
	e.N++
	if wrong {
		e.Wrong++
	}
}

// LogWealth is the natural logarithm of the wealth against a limit in (0,1).
func (e Evidence) LogWealth(limit float64) float64 { return e.logWealth(newOdds(limit)) }

func (e Evidence) logWealth(o *odds) float64 {
	sum, scale := 0.0, float64(e.N-e.Wrong)*o.right[0] // the bet on no errors at all rises fastest
	for i, b := range bets {
		log := float64(e.N-e.Wrong)*o.right[i] - scale
		if e.Wrong > 0 {
			log += float64(e.Wrong) * o.wrong[i]
		}
		sum += b.weight * math.Exp(log)
	}
	if sum == 0 {
		return math.Inf(-1)
	}
	return scale + math.Log(sum)
}

// Bound is the upper end of a confidence sequence for the error rate, (0,1]: the least limit that wealth of 1/alpha speaks
// against. All bounds that are read as audits come in hold together with probability 1 - alpha.
func (e Evidence) Bound(alpha float64) float64 {
	low, high := float64(e.Wrong)/float64(max(e.N, 1)), 1-1e-9
	if e.LogWealth(high) < -math.Log(alpha) {
		return 1
	}
	for high-low > 1e-6 {
		if middle := (low + high) / 2; e.LogWealth(middle) < -math.Log(alpha) {
			low = middle
		} else {
			high = middle
		}
	}
	return high
}

// Needed is how many more audits, all of them without an error, there have to be until wealth against the limit is 1/alpha.
func (e Evidence) Needed(limit, alpha float64) int {
	o := newOdds(limit)
	enough := func(n int) bool { return Evidence{e.N + n, e.Wrong}.logWealth(o) >= -math.Log(alpha) }
	low, high := -1, 0
	for !enough(high) {
		low, high = high, 2*high+1
	}
	for high-low > 1 {
		if middle := (low + high) / 2; enough(middle) {
			high = middle
		} else {
			low = middle
		}
	}
	return high
}

// AtLeast is how many audits without an error any test needs, however it bets, before it may say with confidence 1 - alpha that
// the error rate is below a limit: log(alpha) / log(1 - limit), which is 59 for .05 and 149 for .02 at alpha .05.
func AtLeast(limit, alpha float64) int {
	return int(math.Ceil(math.Log(alpha)/math.Log1p(-limit) - 1e-9))
}

// Steady is the error rate, (0,limit), at which a window of so many images has more errors than the limit allows only three standard
// deviations from the mean. At the limit itself every other window has.
func Steady(limit float64, window int) float64 {
	low, high := 0.0, limit
	for high-low > 1e-9 {
		if p := (low + high) / 2; p+3*math.Sqrt(p*(1-p)/float64(window)) < limit {
			low = p
		} else {
			high = p
		}
	}
	return low
}
