package evidence

import "math"

// support is how sure the model is, at any threshold, that something is where label i is.
func (s *Scene) support(v *vector, i int) {
	var same3, any3, same5, any5, sameFit, anyFit, sum5, n3, n5, best, bestScore float64
	for _, c := range s.seen.near[i] {
		overlap, score, same := float64(c.iou), float64(s.seen.Cells[c.cell].Score), float64(c.same)
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
	v.add("support.same3", same3)
	v.add("support.any3", any3)
	v.add("support.same5", same5)
	v.add("support.any5", any5)
	v.add("support.samefit", sameFit)
	v.add("support.anyfit", anyFit)
	v.add("support.cells3", math.Log1p(n3))
	v.add("support.cells5", math.Log1p(n5))
	v.add("support.sum5", sum5)
	v.add("support.iou", best)
	v.add("support.iouscore", bestScore)
	v.add("support.elsewhere", s.seen.away[i])
	v.add("support.known", flag(s.seen.known[i]))
}
