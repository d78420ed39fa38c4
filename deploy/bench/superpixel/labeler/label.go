package labeler

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Label finds what a person does to mark an object, [h*w], who begins at each of the levels: the cheapest plan that it knows
// among those of every range of levels, with dear and with cheap drags, for several prices of an error. plans are by the level
// under the hand at first; there are none where Enough cannot be reached at all.
func (p *Picture) Label(target []bool) (plans []Plan) {
	t := p.task(target)
	tried := map[string]bool{}
	for coarse := range p.levels {
		for fine := coarse; fine >= 0; fine-- {
			for _, c := range t.choices(coarse, fine) {
				for more := true; more; {
					key := fmt.Sprint(c.add, c.drop)
					if tried[key] {
						break
					}
					tried[key] = true
					steps, tours := t.steps(c)
					plans = p.cheaper(plans, steps)
					c, more = t.trim(c, tours)
				}
			}
		}
	}
	for i := range plans {
		plans[i].IoU = IoU(p.Play(plans[i]), target)
	}
	return plans
}

// cheaper takes steps up where they cost less than those of a plan.
func (p *Picture) cheaper(plans []Plan, steps []Step) []Plan {
	if plans == nil {
		plans = make([]Plan, len(p.levels))
		for i := range plans {
			plans[i] = Plan{Start: i, Actions: math.Inf(1)}
		}
	}
	for i := range plans {
		if cost := (Plan{Start: i, Steps: steps}).cost(); cost < plans[i].Actions {
			plans[i].Steps, plans[i].Actions = steps, cost
		}
	}
	return plans
}

// choices are those within the budget of error that are looked at for a range of levels.
func (t *task) choices(coarse, fine int) []choice {
	var all []choice
	for _, drag := range []bool{false, true} {
		price := prices{add: make([]float64, len(t.levels))}
		for i, l := range t.levels {
			price.add[i] = 1
			if drag {
				price.add[i] = min(1, l.spacing()/pixelsPerAction)
			}
		}
		at := func(logPixel float64) choice {
			price.pixel = math.Exp(logPixel)
			return t.choose(coarse, fine, price)
		}
		low, high := math.Log(1e-7), math.Log(10)
		if at(high).err > t.budget() {
			return nil
		}
		for high-low > 0.05 {
			if mid := (low + high) / 2; at(mid).err <= t.budget() {
				high = mid
			} else {
				low = mid
			}
		}
		for _, dearer := range []float64{0, math.Log(2), math.Log(5)} {
			if c := at(high + dearer); c.err <= t.budget() {
				all = append(all, c)
			}
		}
	}
	return all
}

// steps turns a choice into what is done; tours are by level, nil where nothing is selected.
func (t *task) steps(c choice) (steps []Step, tours []*tour) {
	tours = make([]*tour, len(t.levels))
	state := c.states(t)
	for level := len(t.levels) - 1; level >= 0; level-- {
		if len(c.add[level])+len(c.drop[level]) == 0 {
			continue
		}
		l := t.levels[level]
		s := Step{Level: level}
		if len(c.add[level]) > 0 {
			tours[level] = l.tour(c.add[level], func(r int32) bool { return state.within(level, r) })
			s.Strokes = tours[level].strokes()
		}
		for _, r := range c.drop[level] {
			s.Deselect = append(s.Deselect, l.point(l.heart[r]))
		}
		steps = append(steps, s)
	}
	return steps, tours
}

// states answers what a choice makes of regions.
type states struct {
	*task
	added, dropped []map[int32]bool // by level
}

func (c choice) states(t *task) states {
	s := states{task: t}
	set := func(all []int32) map[int32]bool {
		m := make(map[int32]bool, len(all))
		for _, r := range all {
			m[r] = true
		}
		return m
	}
	for level := range t.levels {
		s.added, s.dropped = append(s.added, set(c.add[level])), append(s.dropped, set(c.drop[level]))
	}
	return s
}

// within says whether a region is selected by what was done at coarser levels.
func (s states) within(level int, r int32) bool {
	for ; level+1 < len(s.levels); level++ {
		r = s.levels[level].parent[r]
		switch {
		case s.added[level+1][r]:
			return true
		case s.dropped[level+1][r]:
			return false
		}
	}
	return false
}

// trim leaves out what saves the most actions for the error that it makes, as far as the budget goes. more is false where
// nothing can be left out.
func (t *task) trim(c choice, tours []*tour) (left choice, more bool) {
	type item struct {
		spot
		saved, err float64
	}
	var items []item
	whole := map[spot]bool{} // regions of which a part is selected or deselected at a finer level
	for level := range t.levels {
		add := func(r int32, saved float64, selected bool) {
			e := t.err(level, r, selected) - t.err(level, r, !selected)
			if at := (spot{level, r}); !whole[at] && saved > 0 && c.err+e <= t.budget() {
				items = append(items, item{at, saved, max(e, 1e-9)})
			}
		}
		if tours[level] != nil {
			for i, saved := range tours[level].saved() {
				add(tours[level].nodes[i], saved, false)
			}
		}
		for _, r := range c.drop[level] {
			add(r, 1, true)
		}
		for _, r := range slices.Concat(c.add[level], c.drop[level]) {
			for up := level; up+1 < len(t.levels); up++ {
				r = t.levels[up].parent[r]
				whole[spot{up + 1, r}] = true
			}
		}
	}
	slices.SortStableFunc(items, func(a, b item) int { return cmp.Compare(b.saved/b.err, a.saved/a.err) })
	out, next := map[spot]bool{}, map[spot]bool{} // what is next to a region that is left out has lost its figures
	err := c.err
	for _, i := range items {
		if next[i.spot] || err+i.err > t.budget() {
			continue
		}
		out[i.spot] = true
		err += i.err
		if tr := tours[i.level]; tr != nil {
			if at := int32(slices.Index(tr.nodes, i.region)); at >= 0 {
				for _, b := range []int32{tr.before(at), tr.after(at)} {
					if int(b) < len(tr.nodes) {
						next[spot{i.level, tr.nodes[b]}] = true
					}
				}
			}
		}
	}
	return c.without(out, err), len(out) > 0
}
