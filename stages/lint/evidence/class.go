package evidence

var classNames = []string{"posterior", "margin"}

// class is the posterior of what label i names over the cells that explain its box, once for all of them and once for those that
// fit it best. Classes above or below the label's by the taxonomy speak for it.
func (s *Scene) class(v *vector, i int) {
	v.prefix = "class.wide."
	s.posterior(v, i, func(overlap float64) float64 { return overlap })
	v.prefix = "class.close."
	s.posterior(v, i, func(overlap float64) float64 { o := overlap * overlap; return o * o })
	v.prefix = ""
	var same, other float64
	for k := range s.seen.Cells {
		if overlap := float64(s.seen.iou[i][k]); overlap >= 0.3 {
			a, b := s.seen.scores[i][k].same, s.seen.scores[i][k].other
			same, other = max(same, overlap*float64(a)), max(other, overlap*float64(b))
		}
	}
	v.add("class.other", other)
	v.add("class.best", logRatio(same, other))
}

func (s *Scene) posterior(v *vector, i int, weight func(overlap float64) float64) {
	var same, all, other float64
	by := make([]float64, len(s.seen.Classes))
	for k := range s.seen.Cells {
		overlap := float64(s.seen.iou[i][k])
		if overlap < 0.3 {
			continue
		}
		w := weight(overlap)
		of := s.seen.scores[i][k].same
		same += w * float64(of)
		all += w * float64(s.seen.Cells[k].Score)
		for _, c := range s.seen.Cells[k].Scores {
			if !s.seen.related[i][c.Class] {
				by[c.Class] += w * float64(c.Score)
			}
		}
	}
	for _, x := range by {
		other = max(other, x)
	}
	if all == 0 {
		v.addAll(classNames)
		return
	}
	v.addAll(classNames, same/all, logRatio(same, other))
}

// Instead is the class that the model sees rather than label i's, with its score, [0,1]; empty for none.
func (s *Scene) Instead(i int) (class string, score float32) {
	top := 0.0
	for k := range s.seen.Cells {
		overlap := float64(s.seen.iou[i][k])
		if overlap < 0.3 {
			continue
		}
		for _, c := range s.seen.Cells[k].Scores {
			if x := overlap * float64(c.Score); !s.seen.related[i][c.Class] && x > top {
				top, class, score = x, s.seen.Classes[c.Class], c.Score
			}
		}
	}
	return class, score
}

// Seen is the model's best score for what label i names where it is, [0,1].
func (s *Scene) Seen(i int) float32 {
	top := float32(0)
	for k := range s.seen.Cells {
		if s.seen.iou[i][k] >= 0.3 {
			same := s.seen.scores[i][k].same
			top = max(top, same)
		}
	}
	return top
}
