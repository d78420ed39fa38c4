package prelabel

import (
	"math"
	"slices"

	"gleaner/schemas"
)

// scorer turns the class numbers of one place into the best class and its probability.
type scorer struct {
	activation schemas.Activation
	background schemas.Background
}

// classes is how many of n class numbers have names.
func (s scorer) classes(n int) int {
	if s.background == schemas.BackgroundNone {
		return n
	}
	return n - 1
}

// named is row, [n], without the background.
func (s scorer) named(row []float32) []float32 {
	switch s.background {
	case schemas.BackgroundFirst:
		return row[1:]
	case schemas.BackgroundLast:
		return row[:len(row)-1]
	}
	return row
}

// probability is that of the class whose number in row, [n], is v.
func (s scorer) probability(row []float32, v float32) float32 {
	switch s.activation {
	case schemas.ActivationSigmoid:
		return sigmoid(v)
	case schemas.ActivationSoftmax:
		return softmax(row, v)
	}
	return v
}

// number is that of a class in row, [n], whose probability is p, above 0. Without softmax it depends on no row.
func (s scorer) number(row []float32, p float32) float32 {
	switch s.activation {
	case schemas.ActivationSigmoid:
		return float32(-math.Log(1/float64(p) - 1))
	case schemas.ActivationSoftmax:
		top := slices.Max(row)
		return top + float32(math.Log(float64(p/softmax(row, top))))
	}
	return p
}

// best is the best class of row, [n], the background left out, and its probability. Of equals the first wins; NaN never does.
func (s scorer) best(row []float32) (class int, score float32) {
	class, score = best(s.named(row))
	return class, s.probability(row, score)
}

// label turns a class label into the index of a name, at least 0 and whole, or returns false: it means the background or nothing.
func (s scorer) label(v float32) (int, bool) {
	if s.background == schemas.BackgroundFirst {
		v--
	}
	if !(v >= 0 && v < 1<<20) {
		return 0, false
	}
	return int(v), true
}

// best is the index and value of the greatest of p. NaN never wins; of equals the first does.
func best(p []float32) (int, float32) {
	done, at, top := bestOfVectors(p)
	for i, v := range p[done:] {
		if v > top {
			at, top = done+i, v
		}
	}
	return at, top
}

// above tells whether any of p is greater than least.
func above(p []float32, least float32) bool {
	for ; len(p) > 64; p = p[64:] {
		if bitsAbove(p[:64], least) != 0 {
			return true
		}
	}
	return bitsAbove(p, least) != 0
}

// bitsAbove has a bit for each of p, of which there are at most 64: it is set where that is greater than least.
func bitsAbove(p []float32, least float32) uint64 {
	done, set := aboveVectors(p, least)
	for i, v := range p[done:] {
		if v > least {
			set |= 1 << (done + i)
		}
	}
	return set
}

// bestByCell finds the greatest class score of every cell in planes, [C, cells], going along the memory.
func bestByCell(planes []float32, cells int) (class []int, top []float32) {
	class, top = make([]int, cells), slices.Clone(planes[:cells])
	done := bestVectors(class, top, planes)
	for c := 1; c*cells < len(planes); c++ {
		for i, v := range planes[c*cells:][:cells][done:] {
			if i += done; v > top[i] {
				class[i], top[i] = c, v
			}
		}
	}
	return class, top
}

// ranks are the classes of the greatest numbers of each cell and these numbers, [maxClassScores, cells], the greatest first. Of equals the
// first class is ahead; NaN has no rank. Where there are fewer classes, numbers are -Inf.
type ranks struct {
	cells  int
	class  []int32
	number []float32
}

// rank ranks the classes of every cell in planes, [C, cells], going along the memory.
func (r *ranks) rank(planes []float32, cells int) {
	n := maxClassScores * cells
	r.cells, r.class, r.number = cells, slices.Grow(r.class[:0], n)[:n], slices.Grow(r.number[:0], n)[:n]
	set(r.number, float32(math.Inf(-1)))
	done := rankVectors(r, planes)
	for c := 0; c*cells < len(planes); c++ {
		for i, v := range planes[c*cells:][:cells][done:] {
			at := done + i + maxClassScores*cells
			for ; at >= cells && v > r.number[at-cells]; at -= cells {
				if at < len(r.number) {
					r.class[at], r.number[at] = r.class[at-cells], r.number[at-cells]
				}
			}
			if at < len(r.number) {
				r.class[at], r.number[at] = int32(c), v //nolint:gosec // models have fewer than 65536 classes
			}
		}
	}
}

// exponentials replaces each x by e^x.
func exponentials(x []float64) {
	x = x[exponentialVectors(x):]
	for i, v := range x {
		x[i] = math.Exp(v)
	}
}

func sigmoid(x float32) float32 { return float32(1 / (1 + math.Exp(-float64(x)))) }

// softmax is the probability of the number x among all of row, of which it is one.
func softmax(row []float32, x float32) float32 {
	sum := 0.0
	for _, v := range row {
		sum += math.Exp(float64(v) - float64(x))
	}
	return float32(1 / sum)
}

func exp(x float32) float32 { return float32(math.Exp(float64(x))) }
