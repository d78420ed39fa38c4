package evidence

import "math"

var supportNames = [...]string{
	"same3", "any3", "same5", "any5", "samefit", "anyfit", "cells3", "cells5", "sum5", "iou", "iouscore", "elsewhere", "known",
}

// support is how sure the model is, at any threshold, that something is where a label is, in the order of supportNames.
type support [len(supportNames)]float64

func (m *seen) support(i int) support {
	var same3, any3, same5, any5, sameFit, anyFit, sum5, n3, n5, best, bestScore float64
	for _, c := range m.near[i] {
		overlap, score, same := float64(c.iou), float64(m.Cells[c.cell].Score), float64(c.same)
		sameFit, anyFit = max(sameFit, same*overlap), max(anyFit, score*overlap)
		if overlap > best {
			best, bestScore = overlap, score
		}
		if overlap >= 0.3 {
			same3, any3, n3 = max(same3, same), max(any3, score), n3+1
		}
		if overlap >= 0.5 {
			same5, any5, n5, sum5 = max(same5, same), max(any5, score), n5+1, sum5+score
		}
	}
	elsewhere := float32(0)
	for _, x := range m.away[i] {
		elsewhere = max(elsewhere, x)
	}
	return support{
		same3, any3, same5, any5, sameFit, anyFit, math.Log1p(n3), math.Log1p(n5), sum5, best, bestScore, float64(elsewhere), flag(m.known[i]),
	}
}

func (s *Scene) addSupport(v *vector, i int) {
	v.prefix = "support."
	v.addAll(supportNames[:], s.support[i][:]...)
	v.prefix = ""
}
