package vectors

// A term of a gain is cut to a whole number of these, so that a sum of terms is exact, whatever the order. block is how many are added
// up in 32 bits, each 16th of them by itself: with terms of up to 2 that leaves a bit.
const (
	unit  = 1.0 / (1 << 23)
	block = 64 * lanes
)

// Gain returns the sum of max(0, s-b) over the elements s of sim and b of best, both of the same length, a multiple of Panel. No
// difference is 4 or more, and each is cut to a multiple of 2^-23: sums of gains are exact. It never grows when an element of best
// does, which is what lazy evaluation rests on.
func Gain(sim, best []float32) float64 {
	sum, done := gainVectors(sim, best)
	for i, s := range sim[done:] {
		sum += units(s - best[done+i])
	}
	return float64(sum) * unit
}

// GainAt is Gain where only the elements of best at the given places have one of sim each. What no longer counts, and will not however
// best grows, is left out of what it returns, in the same memory.
func GainAt(sim []float32, places []int32, best []float32) (gain float64, left []float32, at []int32) {
	n, sum := 0, int64(0)
	for i, p := range places {
		if s := sim[i]; s > best[p] {
			sum += units(s - best[p])
			sim[n], places[n] = s, p
			n++
		}
	}
	return float64(sum) * unit, sim[:n], places[:n]
}

func units(difference float32) int64 { return int64(int32(max(0, difference) * (1 / unit))) }

// Compress writes the elements of sim that are larger than those of best to values, and their places to places, and returns how many
// there are. All have the same length, a multiple of Panel; what is in values and places beyond is of no meaning.
func Compress(values []float32, places []int32, sim, best []float32) int {
	n, done := compressVectors(values, places, sim, best)
	for i, s := range sim[done:] {
		if s > best[done+i] {
			values[n], places[n] = s, int32(done+i)
			n++
		}
	}
	return n
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
	for ; i%lanes != 0; i++ {
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
