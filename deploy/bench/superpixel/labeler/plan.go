package labeler

// Plan is what a person does to mark an object.
type Plan struct {
	Start   int    // level under the hand at first, 0 is the finest
	Steps   []Step // in order
	Actions float64
	IoU     float64 // reached
}

// Step is what is done at one level, in this order.
type Step struct {
	Level    int
	Strokes  [][]Point // lines through points, whose regions become selected; one point is a click
	Deselect []Point   // clicks
}

// cost is the number of actions.
func (p Plan) cost() float64 {
	sum, at := 0.0, p.Start
	for _, s := range p.Steps {
		sum += float64(max(s.Level-at, at-s.Level) + len(s.Deselect))
		at = s.Level
		for _, stroke := range s.Strokes {
			sum += 1 + length(stroke)/pixelsPerAction
		}
	}
	return sum
}

// Play carries a plan out and returns the selected pixels, [h*w].
func (p *Picture) Play(plan Plan) []bool {
	selected := make([]bool, p.w*p.h)
	for _, s := range plan.Steps {
		l := p.levels[s.Level]
		set := func(q Point, to bool) {
			for _, i := range l.members[l.labels[q.Y*l.w+q.X]] {
				selected[i] = to
			}
		}
		for _, stroke := range s.Strokes {
			set(stroke[0], true)
			for i := 1; i < len(stroke); i++ {
				line(stroke[i-1], stroke[i], func(q Point) { set(q, true) })
			}
		}
		for _, q := range s.Deselect {
			set(q, false)
		}
	}
	return selected
}

// IoU is intersection over union of two masks of one size, 1 where both are empty.
func IoU(a, b []bool) float64 {
	both, either := 0, 0
	for i := range a {
		if a[i] && b[i] {
			both++
		}
		if a[i] || b[i] {
			either++
		}
	}
	if either == 0 {
		return 1
	}
	return float64(both) / float64(either)
}
