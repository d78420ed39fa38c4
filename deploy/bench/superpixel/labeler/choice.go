package labeler

// Which regions to select and deselect. With FN the object's pixels that stay unselected and FP the others that are selected,
// IoU >= Enough means FN + Enough*FP <= (1-Enough)*|object|: an error that adds up over regions. So the cheapest choice under a
// price for a pixel of error follows from the leaves of the tree of levels to its roots, exactly.

// task is an object in a picture.
type task struct {
	*Picture
	target []bool
	area   int       // pixels of the object
	inside [][]int32 // by level and region, how many of its pixels are the object's
}

func (p *Picture) task(target []bool) *task {
	t := &task{Picture: p, target: target}
	for i, l := range p.levels {
		in := make([]int32, len(l.members))
		if i == 0 {
			for at, on := range target {
				if on {
					in[l.labels[at]]++
					t.area++
				}
			}
		} else {
			for r, n := range t.inside[i-1] {
				in[p.levels[i-1].parent[r]] += n
			}
		}
		t.inside = append(t.inside, in)
	}
	return t
}

// budget is how much error is allowed. What rounding costs must not turn an exact hit away.
func (t *task) budget() float64 { return (1-Enough)*float64(t.area) + 1e-6 }

// err is the error of a region as a whole.
func (t *task) err(level int, r int32, selected bool) float64 {
	in := t.inside[level][r]
	if selected {
		return Enough * float64(int32(len(t.levels[level].members[r]))-in)
	}
	return float64(in)
}

// choice is the regions to select and to deselect at each level: what holds for a region holds for all within it, until a
// finer level says otherwise.
type choice struct {
	add, drop [][]int32 // by level
	err       float64
}

// without leaves some of the regions to select or deselect out, of which no smaller part is among the others.
func (c choice) without(out map[spot]bool, err float64) choice {
	left := choice{add: make([][]int32, len(c.add)), drop: make([][]int32, len(c.drop)), err: err}
	for level := range c.add {
		keep := func(r int32) bool { return !out[spot{level, r}] }
		left.add[level], left.drop[level] = filter(c.add[level], keep), filter(c.drop[level], keep)
	}
	return left
}

func filter(all []int32, keep func(int32) bool) []int32 {
	var some []int32
	for _, r := range all {
		if keep(r) {
			some = append(some, r)
		}
	}
	return some
}

// spot is a region of a level.
type spot struct {
	level  int
	region int32
}

// prices are what the choice is optimized for.
type prices struct {
	add   []float64 // actions to select a region, by level
	pixel float64   // actions that a pixel of error is worth
}

// choose finds the choice of least price among the levels from coarse to fine, both included.
func (t *task) choose(coarse, fine int, price prices) choice {
	c := choice{add: make([][]int32, len(t.levels)), drop: make([][]int32, len(t.levels))}
	s := search{task: t, fine: fine, price: price, known: make([][]leasts, coarse+1)}
	for i := fine; i <= coarse; i++ {
		s.known[i] = make([]leasts, len(t.levels[i].members))
	}
	for r, in := range t.inside[coarse] {
		if in > 0 {
			s.follow(&c, coarse, int32(r), false)
		}
	}
	return c
}

// search is the state of choose.
type search struct {
	*task
	fine  int
	price prices
	known [][]leasts // by level and region
}

// leasts are the least prices of a region that is entered unselected, and selected.
type leasts struct {
	known   bool
	off, on float64
}

func (s *search) flip(level int, selected bool) float64 {
	if selected {
		return 1
	}
	return s.price.add[level]
}

// stay is the least price of a region that keeps its state, whatever becomes of those within it.
func (s *search) stay(level int, r int32, selected bool) float64 {
	e := s.err(level, r, selected)
	if level == s.fine || e == 0 {
		return e * s.price.pixel
	}
	sum := 0.0
	for _, child := range s.levels[level].children[r] {
		sum += s.least(level-1, child, selected)
	}
	return sum
}

// least is the least price of a region that is entered in a state.
func (s *search) least(level int, r int32, selected bool) float64 {
	if s.err(level, r, selected) == 0 {
		return 0
	}
	both := &s.known[level][r]
	if !both.known {
		off, on := s.stay(level, r, false), s.stay(level, r, true)
		*both = leasts{true, min(off, s.flip(level, false)+on), min(on, s.flip(level, true)+off)}
	}
	if selected {
		return both.on
	}
	return both.off
}

// follow writes down what least found.
func (s *search) follow(c *choice, level int, r int32, selected bool) {
	e := s.err(level, r, selected)
	if e == 0 {
		return
	}
	stay := s.stay(level, r, selected)
	if s.flip(level, selected)+s.stay(level, r, !selected) < stay {
		if selected {
			c.drop[level] = append(c.drop[level], r)
		} else {
			c.add[level] = append(c.add[level], r)
		}
		selected = !selected
		e = s.err(level, r, selected)
	}
	if level == s.fine || e == 0 {
		c.err += e
		return
	}
	for _, child := range s.levels[level].children[r] {
		s.follow(c, level-1, child, selected)
	}
}
