package calibrate

import (
	"cmp"
	"math"
	"slices"

	"gleaner/stages/prelabel/logistic"
)

// deviations are those of Shift and Slope from what is expected.
type deviations [2]float64

// What is believed before there are corrections.
var (
	ofAll    = deviations{1, 0.5}                             // of the line of all around the identity
	ofLevels = []deviations{{1, 0.5}, {0.3, 0.1}, {0.3, 0.1}} // of models', super-classes' and classes' around their parents', until these have been seen
)

const (
	weight     = 4    // lines that ofLevels count as, beside those that there are
	leastSlope = 0.05 // lines rise
	rounds     = 10   // in which a level's deviations and its lines are estimated by turns
)

// Fit learns a book from corrections, whose order does not matter. A line is the mode of its posterior given its parent's. The
// deviations of a level maximize the expected posterior (EM with Laplace's approximation) under an inverse gamma prior.
func Fit(corrections []Correction) *Book {
	if len(corrections) == 0 {
		return &Book{}
	}
	sorted := slices.SortedFunc(slices.Values(corrections), func(a, b Correction) int {
		pa, pb := a.path(), b.path()
		return cmp.Or(slices.Compare(pa[:], pb[:]), cmp.Compare(a.Score, b.Score), cmp.Compare(bit(a.Accepted), bit(b.Accepted)))
	})
	rows, accepted := make([][]float64, len(sorted)), make([]bool, len(sorted))
	for i, c := range sorted {
		rows[i], accepted[i] = []float64{1, logistic.Logit(float64(c.Score))}, c.Accepted
	}
	root := &part{line: &Line{}, rows: rows, accepted: accepted, corrections: sorted}
	root.fit(&Line{Slope: 1}, ofAll)
	level := []*part{root}
	for depth, guess := range ofLevels {
		level = fitLevel(level, depth, guess)
	}
	return &Book{All: root.line}
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// part is the corrections that a line is learned from, sorted.
type part struct {
	line, parent *Line
	corrections  []Correction
	rows         [][]float64
	accepted     []bool
}

// fit learns the line and returns the squares of what it deviates by, as expected under its posterior.
func (p *part) fit(parent *Line, d deviations) (squares deviations) {
	r := logistic.Fit(p.rows, p.accepted, logistic.Prior{
		Mean: []float64{parent.Shift, parent.Slope}, Deviation: d[:], Lower: []float64{math.Inf(-1), leastSlope},
	})
	p.line.N, p.line.Shift, p.line.Slope = len(p.rows), r.Coefficients[0], r.Coefficients[1]
	for i, mean := range [...]float64{parent.Shift, parent.Slope} {
		off := r.Coefficients[i] - mean
		squares[i] = off*off + r.Variances[i]
	}
	return squares
}

// fitLevel hangs lines of the parts that differ in element depth of their path below those of parents. A part with all of its
// parent's corrections has its parent's line: they are not to count twice.
func fitLevel(parents []*part, depth int, guess deviations) (level []*part) {
	var own []*part // of which each has a part of its parent's corrections
	for _, p := range parents {
		p.line.Below = map[string]*Line{}
		for from, to := 0, 0; from < len(p.corrections); from = to {
			name := p.corrections[from].path()[depth]
			for to < len(p.corrections) && p.corrections[to].path()[depth] == name {
				to++
			}
			child := &part{line: &Line{}, parent: p.line, corrections: p.corrections[from:to], rows: p.rows[from:to], accepted: p.accepted[from:to]}
			if level = append(level, child); len(child.rows) < len(p.rows) {
				own = append(own, child)
			} else {
				*child.line = Line{N: p.line.N, Shift: p.line.Shift, Slope: p.line.Slope}
			}
			p.line.Below[name] = child.line
		}
	}
	d := guess
	for range rounds {
		sums := deviations{weight * guess[0] * guess[0], weight * guess[1] * guess[1]}
		for _, p := range own {
			squares := p.fit(p.parent, d)
			sums[0], sums[1] = sums[0]+squares[0], sums[1]+squares[1]
		}
		n := float64(weight + len(own))
		d = deviations{math.Sqrt(sums[0] / n), math.Sqrt(sums[1] / n)}
	}
	return level
}
