package rows

import (
	"math"
	"math/bits"
)

// Spans average columns under output pixels that cover them whole or in part, in integers: lengths are in units of one over
// the number of output pixels.
type Spans struct {
	ends    []border // of each output pixel, on the right
	whole   uint64   // the length of a column
	covered uint64   // the weights under an output pixel add up to this
	inverse uint64   // of twice that, in units of 2^-64: multiplying by it divides
	vectors spanVectors
}

// border is a place between or within columns: so many whole ones, and a part of the next.
type border struct {
	column int
	part   uint64
}

// NewSpans places n output pixels over columns, in each of which the weights of rows add up to height. The averages are exact
// while columns*height is below 2^27, and then within 1.
func NewSpans(columns, n, height int) *Spans {
	s := &Spans{ends: make([]border, n), whole: uint64(n), covered: uint64(columns) * uint64(height)}
	s.inverse = math.MaxUint64/(2*s.covered) + 1
	for x := range s.ends {
		end := (x + 1) * columns
		s.ends[x] = border{end / n, uint64(end % n)}
	}
	s.vectors = s.newVectors(columns)
	return s
}

// Average writes the rounded averages of the weighted sums of columns; sum has one element more, which is 0.
func (s *Spans) Average(dst []uint8, sum []uint32) {
	done := s.averageVectors(dst, sum)
	var total, left uint64
	column := 0
	if done > 0 {
		end := s.ends[done-1]
		column, left = end.column, end.part*uint64(sum[end.column])
	}
	dst = dst[done:len(s.ends)]
	for x, end := range s.ends[done:] {
		for ; column < end.column; column++ {
			total += uint64(sum[column])
		}
		right := total*s.whole + end.part*uint64(sum[column])
		mean, _ := bits.Mul64(2*(right-left)+s.covered, s.inverse)
		dst[x], left = uint8(mean), right
	}
}
