package convention

import (
	"bytes"
	"cmp"
	"math"
	"slices"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

// observation is one accepted correction.
type observation struct {
	sample   schemas.SampleID
	proposal string
	at       int64 // Unix microseconds
	raw      geometry.Box
	label    geometry.Box
	w, h     int // of the image, pixels
}

func observe(c *schemas.Correction) observation {
	return observation{c.SampleID, c.ProposalID, c.At.UnixMicro(), c.Proposal, c.Label, c.W, c.H}
}

func newestFirst(a, b observation) int {
	return cmp.Or(cmp.Compare(b.at, a.at), bytes.Compare(a.sample[:], b.sample[:]), cmp.Compare(a.proposal, b.proposal))
}

// fold spreads samples over folds; ids are digests.
func (o *observation) fold() int { return int(o.sample[0]) % folds }

// border is how near an edge of a label lies to the border of the image, as a share of its side, to count as cut by it.
const border = 0.002

// offset is that of one edge, and whether the label shows it. Where the image cuts the label off, people's edge would lie
// somewhere beyond.
func (o *observation) offset(edge int) (share float64, shown bool) {
	w, h := float64(o.w), float64(o.h)
	var d, size float64
	switch edge {
	case 0:
		d, size, shown = float64(o.raw.X1)-float64(o.label.X1), float64(o.raw.W()), float64(o.label.X1) > border*w
	case 1:
		d, size, shown = float64(o.raw.Y1)-float64(o.label.Y1), float64(o.raw.H()), float64(o.label.Y1) > border*h
	case 2:
		d, size, shown = float64(o.label.X2)-float64(o.raw.X2), float64(o.raw.W()), float64(o.label.X2) < (1-border)*w
	case 3:
		d, size, shown = float64(o.label.Y2)-float64(o.raw.Y2), float64(o.raw.H()), float64(o.label.Y2) < (1-border)*h
	}
	share = d / size
	return share, shown && !math.IsNaN(share) && !math.IsInf(share, 0)
}

// normal is a belief about an offset; an infinite variance knows nothing.
type normal struct{ mean, variance float64 }

var nothing = normal{0, math.Inf(1)}

// and combines two independent beliefs.
func (a normal) and(b normal) normal {
	p, q := 1/a.variance, 1/b.variance
	if p+q == 0 {
		return nothing
	}
	return normal{(a.mean*p + b.mean*q) / (p + q), 1 / (p + q)}
}

// wider is what a belief says of something that differs by spread, a variance.
func (a normal) wider(spread float64) normal { return normal{a.mean, a.variance + spread} }

const (
	// huberK gives 95 % of the mean's efficiency where errors are normal.
	huberK = 1.345
	// Few values say little about how far they scatter: priorValues more that scatter by priorScatter are thought of, about what
	// edges of detectors do.
	priorScatter = 0.1
	priorValues  = 5
	leastScale   = 0.002 // scatter below this share of a box's side is rounding
)

// location is the M-estimate of where values lie (Huber, "Robust Estimation of a Location Parameter", 1964), its scale the median
// absolute deviation and its variance the asymptotic one, moderated for few values. It sorts values.
func location(values []float64) normal {
	n := len(values)
	if n == 0 {
		return nothing
	}
	at := median(values)
	far := make([]float64, n)
	for i, v := range values {
		far[i] = math.Abs(v - at)
	}
	scale := max(1.4826*median(far), leastScale)
	var squares float64
	var inside int
	for range 50 {
		var sum float64
		squares, inside = 0, 0
		for _, v := range values {
			r := (v - at) / scale
			if math.Abs(r) <= huberK {
				inside++
			}
			psi := min(max(r, -huberK), huberK)
			sum += psi
			squares += psi * psi
		}
		step := scale * sum / float64(max(inside, 1))
		at += step
		if math.Abs(step) < 1e-6 {
			break
		}
	}
	share := float64(inside) / float64(n)
	scatter := scale * scale * squares / float64(n) / (share * share)
	scatter = (priorValues*priorScatter*priorScatter + float64(n-1)*scatter) / float64(priorValues+n-1)
	return normal{at, scatter / float64(n)}
}

func median(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}
