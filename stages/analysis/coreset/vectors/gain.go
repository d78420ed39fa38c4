package vectors

// block is how many terms are added up in float32, by each sixteenth of them, before float64 takes over.
const block = 1024

// Gain returns the sum of max(0, s-b) over the elements s of sim and b of best, both of the same length, a multiple of Panel. It
// never grows when an element of best does, rounding included, which is what lazy evaluation rests on.
func Gain(sim, best []float32) float64 {
	sum := 0.0
	for len(sim) > 0 {
		n := min(block, len(sim))
		var lanes [Panel]float32
		done := gainVectors(&lanes, sim[:n], best[:n])
		for i := done; i < n; i += Panel {
			s, b := (*[Panel]float32)(sim[i:]), (*[Panel]float32)(best[i:])
			for l := range lanes {
				lanes[l] += max(0, s[l]-b[l])
			}
		}
		for _, l := range lanes {
			sum += float64(l)
		}
		sim, best = sim[n:], best[n:]
	}
	return sum
}

// Raise makes every element of best the larger of itself and that of sim; both have the same length, a multiple of Panel.
func Raise(best, sim []float32) {
	done := raiseVectors(best, sim)
	for i, s := range sim[done:] {
		best[done+i] = max(best[done+i], s)
	}
}

// Above returns the first place of row, from i on, whose element is above the limit, or len(row). Its length is a multiple of Panel.
func Above(row []float32, limit float32, i int) int {
	for ; i%Panel != 0; i++ {
		if row[i] > limit {
			return i
		}
	}
	for i += aboveVectors(row[i:], limit); i < len(row); i++ {
		if row[i] > limit {
			return i
		}
	}
	return i
}
