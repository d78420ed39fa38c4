package main

import "math/rand/v2"

// image is one image of a stream.
type image struct {
	confidence float64
	wrong      bool
	oracle     bool // who knows the rates accepts it
}

// regime is how errors depend on the confidence, which is uniform in [0,1].
type regime struct {
	split        float64 // where the error rate changes
	above, below float64 // error rates
}

// drift is a kind of stream.
type drift struct {
	name, about string
	at          func(t, n int) regime // the regime at the image t of n
}

// share of errors below the split of a score that separates.
const bad = .6

// drifts lists the kinds of stream. Before the drift, a share of right above .3 is right; limit is 1 - the target.
func drifts(right, limit float64) []drift {
	good := regime{.3, 1 - right, bad}
	rate := func(above float64) regime { return regime{.3, above, bad} }
	half := func(before, after regime) func(t, n int) regime {
		return func(t, n int) regime {
			if t < n/2 {
				return before
			}
			return after
		}
	}
	all := .3*bad + .7*(1-right)
	never := regime{0, 1.2 * limit, 1.2 * limit}
	return []drift{
		{"none", "the score separates throughout, at .3", half(good, good)},
		{"threshold", "from the middle on the score separates at .5", half(good, regime{.5, 1 - right, bad})},
		{"doubled", "the error rate above .3 doubles in the middle", half(good, rate(2*(1-right)))},
		{"slight", "it jumps to 1.4 times the limit", half(good, rate(1.4*limit))},
		{"jump", "it jumps to 3 times the limit", half(good, rate(3*limit))},
		{"collapse", "it jumps to 50 %", half(good, rate(.5))},
		{"burst", "it is 50 % for 300 images", func(t, n int) regime {
			if t >= n/2 && t < n/2+300 {
				return rate(.5)
			}
			return good
		}},
		{"gradual", "it rises steadily to 3 times the limit between 40 % and 80 % of the stream", func(t, n int) regime {
			return rate(1 - right + (3*limit-1+right)*min(max((float64(t)/float64(n)-.4)/.4, 0), 1))
		}},
		{"meaningless", "from the middle on errors are as frequent at any confidence", half(good, regime{0, all, all})},
		{"never", "errors are 1.2 times the limit at any confidence throughout", half(never, never)},
	}
}

// draw draws the image t of n. An oracle accepts it when it lies above the split, unless even there too many are wrong.
func (d drift) draw(t, n int, limit float64, rng *rand.Rand) image {
	r, c := d.at(t, n), rng.Float64()
	rate := r.below
	if c >= r.split {
		rate = r.above
	}
	return image{confidence: c, wrong: rng.Float64() < rate, oracle: c >= r.split && r.above <= limit}
}
