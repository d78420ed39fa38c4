package evidence

import (
	"math"
	"slices"
)

var worstNames = []string{
	"off", "abs", "label", "class", "any", "close", "free", "sd", "z", "opposite", "beside", "besidemin", "second",
	"here", "fit", "gain", "peak", "border", "pixels", "nll", "frame",
}

// worst is the edge that lies farthest from where the cells put it, by the mean of all weightings, and what speaks for and against it
// beside the other three.
func (s *Scene) worst(v *vector, i int) {
	f := s.best(i)
	if f == nil {
		v.addAll(worstNames)
		return
	}
	box := s.Labels[i].Box
	e, r, all := s.off[i].farthest, s.off[i].mean, &s.off[i].by
	length := [2]float64{float64(max(box.W(), 1e-3)), float64(max(box.H(), 1e-3))}
	beside := []float64{math.Abs(r[(e+1)%4]), math.Abs(r[(e+3)%4])}
	slices.Sort(beside)
	here, fit, gain, peak, border := math.NaN(), math.NaN(), math.NaN(), math.NaN(), math.NaN()
	if l := s.looks[i]; l != nil {
		p := &l.contrast[e]
		top, at := p.peak()
		to := -r[e] * f.lengths()[e%2] / length[e%2] // the fit's edge, seen from the label's
		here, fit, peak = p.at(0)/(top+1e-3), p.at(to)/(top+1e-3), at+r[e]
		gain = math.Log((p.at(to) + 1) / (p.at(0) + 1))
		if s.borders != nil {
			border = l.border[e].at(to) - l.border[e].at(0)
		}
	}
	margin := [4]float64{float64(box.X1), float64(box.Y1), float64(s.W) - float64(box.X2), float64(s.H) - float64(box.Y2)}[e]
	v.addAll(worstNames,
		r[e], math.Abs(r[e]), all[0][e], all[1][e], all[2][e], all[3][e], all[free][e], f.sd[e], f.z(r)[e],
		r[(e+2)%4], beside[1], beside[0], max(beside[1], math.Abs(r[(e+2)%4])),
		here, fit, gain, peak, border, math.Log1p(math.Abs(r[e])*length[e%2]), s.likely[i].total[e], flag(margin < 2))
}

// residuals are those of a label's edges, in the order of sides.
type residuals struct {
	by       [len(weightings)][4]float64 // each fit
	mean     [4]float64                  // over the fits; NaN where no cell explains the label
	farthest int                         // the edge whose mean is greatest
}

func (s *Scene) residuals(i int) (r residuals) {
	n := 0.0
	for w := range s.fits[i] {
		f := &s.fits[i][w]
		if f.cells == 0 {
			continue
		}
		n++
		r.by[w] = f.Residuals(s.Labels[i].Box)
		for e, x := range r.by[w] {
			r.mean[e] += x
		}
	}
	for e := range r.mean {
		r.mean[e] /= n
		if math.Abs(r.mean[e]) > math.Abs(r.mean[r.farthest]) {
			r.farthest = e
		}
	}
	return r
}
