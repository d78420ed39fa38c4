package evidence

var classNames = []string{"posterior", "margin"}

// class is the posterior of what label i names over the cells that explain its box, once for all of them and once for those that
// fit it best. Classes above or below the label's by the taxonomy speak for it.
func (s *Scene) class(v *vector, i int) {
	var wide, narrow posterior
	wide.others, narrow.others = make([]float64, len(s.seen.Classes)), make([]float64, len(s.seen.Classes))
	var same, other float64
	for _, c := range s.seen.near[i] {
		overlap := float64(c.iou)
		if overlap < explains {
			continue
		}
		o := overlap * overlap
		wide.add(s.seen, i, c, overlap)
		narrow.add(s.seen, i, c, o*o)
		same, other = max(same, overlap*float64(c.same)), max(other, overlap*float64(c.other))
	}
	v.prefix = "class.wide."
	wide.addTo(v)
	v.prefix = "class.close."
	narrow.addTo(v)
	v.prefix = ""
	v.add("class.other", other)
	v.add("class.best", logRatio(same, other))
}

// explains is the IoU from which on the classes of a cell are about a label.
const explains = 0.3

// posterior is sums of weighted scores over cells.
type posterior struct {
	same, all float64
	others    []float64 // [classes] that do not name what the label names
}

func (p *posterior) add(m *seen, i int, c nearCell, weight float64) {
	of := &m.Cells[c.cell]
	p.same += weight * float64(c.same)
	p.all += weight * float64(of.Score)
	for _, x := range of.Scores {
		if !m.related[i][x.Class] {
			p.others[x.Class] += weight * float64(x.Score)
		}
	}
}

func (p *posterior) addTo(v *vector) {
	if p.all == 0 {
		v.addAll(classNames)
		return
	}
	other := 0.0
	for _, x := range p.others {
		other = max(other, x)
	}
	v.addAll(classNames, p.same/p.all, logRatio(p.same, other))
}

// Instead is the class that the model sees rather than label i's, with its score, [0,1]; empty for none.
func (s *Scene) Instead(i int) (class string, score float32) {
	top := 0.0
	for _, near := range s.seen.near[i] {
		overlap := float64(near.iou)
		if overlap < explains {
			continue
		}
		for _, c := range s.seen.Cells[near.cell].Scores {
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
	for _, c := range s.seen.near[i] {
		if c.iou >= explains {
			top = max(top, c.same)
		}
	}
	return top
}

// Knows tells whether the models have a class for what label i names.
func (s *Scene) Knows(i int) bool { return s.seen.known[i] }
