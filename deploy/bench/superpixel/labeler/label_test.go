package labeler

import (
	"math"
	"math/rand/v2"
	"testing"
)

// cells is a label map of square regions, across in a row.
func cells(w, h, side int) []uint16 {
	across := w / side
	labels := make([]uint16, w*h)
	for i := range labels {
		labels[i] = uint16(i/w/side*across + i%w/side)
	}
	return labels
}

// union is the mask of some regions of a label map.
func union(labels []uint16, regions ...uint16) []bool {
	mask := make([]bool, len(labels))
	for i, l := range labels {
		for _, r := range regions {
			mask[i] = mask[i] || l == r
		}
	}
	return mask
}

func picture(t testing.TB, w, h int, maps ...[]uint16) *Picture {
	t.Helper()
	p, err := New(w, h, maps...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func label(p *Picture, target []bool, start int) (plan Plan, ok bool) {
	if plans := p.Label(target); plans != nil {
		return plans[start], true
	}
	return plan, false
}

// check plays a plan and compares it with what it says of itself.
func check(t *testing.T, p *Picture, plan Plan, target []bool) {
	t.Helper()
	if got := IoU(p.Play(plan), target); got < Enough || got != plan.IoU {
		t.Errorf("IoU %.4f when played, the plan says %.4f, want at least %.2f", got, plan.IoU, Enough)
	}
	if got := plan.cost(); got != plan.Actions {
		t.Errorf("%.3f actions, the plan says %.3f", got, plan.Actions)
	}
}

func TestKnownOptima(t *testing.T) {
	const w, h = 120, 120
	fine, coarse := cells(w, h, 10), cells(w, h, 20) // 12 and 6 in a row; coarse 0 is fine 0, 1, 12, 13
	one, two := picture(t, w, h, fine), picture(t, w, h, fine, coarse)
	wide := make([]bool, w*h) // all but a hole of one fine region
	for i := range wide {
		wide[i] = fine[i] != 65
	}
	for _, c := range []struct {
		name   string
		p      *Picture
		target []bool
		start  int
		want   float64
	}{
		{"a region is a click", one, union(fine, 40), 0, 1},
		{"two regions far apart are two clicks", one, union(fine, 0, 143), 0, 2},
		{"a row is a stroke", one, union(fine, 1, 2, 3, 4, 5, 6, 7), 0, 1 + 60.0/50},
		{"a gap is not worth crossing", one, union(fine, 1, 2, 3, 6, 7, 8), 0, 2 * (1 + 20.0/50)},
		{"a corner is dragged around", one, union(fine, 0, 1, 2, 14, 26), 0, 1 + 40.0/50},
		{"a block is a winding stroke", one, union(fine, 0, 1, 2, 12, 13, 14, 24, 25, 26), 0, 1 + 80.0/50},
		{"a tee goes back on itself", one, union(fine, 0, 1, 2, 3, 4, 14), 0, 1 + 60.0/50},
		{"a coarse region is a click", two, union(coarse, 7), 1, 1},
		{"four strokes are cheaper than the wheel and a click", two, union(coarse, 7), 0, 1 + 30.0/50},
		{"three of four from the coarse level: wheel and stroke", two, union(fine, 0, 1, 12), 1, 1 + 1 + 20.0/50},
		{"coarse regions are dragged over, one fine one clicked, one left", two, union(fine, 0, 1, 12, 13, 2, 3, 14, 15, 4, 16), 1, 1 + 20.0/50 + 1 + 1},
		{"nine in ten is enough", one, union(fine, 1, 2, 3, 4, 5, 6, 7, 8, 9, 60), 0, 1 + 80.0/50},
	} {
		t.Run(c.name, func(t *testing.T) {
			plan, ok := label(c.p, c.target, c.start)
			if !ok || math.Abs(plan.Actions-c.want) > 1e-9 {
				t.Errorf("%.3f actions (%v), want %.3f: %+v", plan.Actions, ok, c.want, plan.Steps)
			}
			check(t, c.p, plan, c.target)
		})
	}
	t.Run("a hole is taken back", func(t *testing.T) {
		const w, h = 300, 300 // coarse regions so large that clicks are best, and the hole too large to leave it
		fine, coarse := cells(w, h, 50), cells(w, h, 100)
		target := union(coarse, 0, 1)
		for i, r := range fine {
			target[i] = target[i] && r != 7
		}
		p := picture(t, w, h, fine, coarse)
		plan, ok := label(p, target, 1)
		if want := 2.0 + 1 + 1; !ok || math.Abs(plan.Actions-want) > 1e-9 {
			t.Errorf("%.3f actions (%v), want %.3f: %+v", plan.Actions, ok, want, plan.Steps)
		}
		check(t, p, plan, target)
	})
}

func TestOutOfReach(t *testing.T) {
	labels := cells(40, 40, 20)
	target := make([]bool, len(labels))
	for i := range target {
		target[i] = i%2 == 0 // half of every region
	}
	if plan, ok := label(picture(t, 40, 40, labels), target, 0); ok {
		t.Errorf("marked with %+v", plan)
	}
}

func TestNewRefusesLevelsThatAreNotNested(t *testing.T) {
	if _, err := New(60, 60, cells(60, 60, 20), cells(60, 60, 30)); err == nil {
		t.Error("regions of 20 pixels do not lie within such of 30")
	}
}

// TestAgainstEveryClick compares plans with the best of all sets of clicks, where regions are so large that no drag is worth
// while.
func TestAgainstEveryClick(t *testing.T) {
	const w, h, side = 480, 60, 60
	fine, coarse := cells(w, h, side), make([]uint16, w*h)
	for i, r := range fine {
		coarse[i] = r / 4
	}
	p := picture(t, w, h, fine, coarse)
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 80 {
		target := make([]bool, w*h)
		for r := range uint16(8) {
			share := []int{0, side, side, 0, rnd.IntN(side + 1)}[rnd.IntN(5)] // columns of the region
			for i := range target {
				target[i] = target[i] || fine[i] == r && i%w%side < share
			}
		}
		start := rnd.IntN(2)
		task := p.task(target)
		if task.area == 0 {
			continue
		}
		best := math.Inf(1)
		for ops := range 1 << 10 { // of each coarse and each fine region, whether its state is turned
			n, err, wheel := 0.0, 0.0, 0.0
			for c := range int32(2) {
				on := ops>>c&1 == 1
				if on {
					n++
				}
				for f := 4 * c; f < 4*c+4; f++ {
					state := on
					if ops>>(2+f)&1 == 1 {
						state = !state
						n++
					}
					err += task.err(0, f, state)
				}
			}
			coarseUsed, fineUsed := ops&3 != 0, ops>>2 != 0
			switch {
			case coarseUsed && start == 0:
				wheel = 1
				if fineUsed {
					wheel = 2
				}
			case fineUsed && start == 1:
				wheel = 1
			}
			if err <= task.budget() {
				best = min(best, n+wheel)
			}
		}
		plan, ok := label(p, target, start)
		if ok != !math.IsInf(best, 0) {
			t.Fatalf("marked: %v, by clicks %v", ok, best)
		}
		if ok {
			check(t, p, plan, target)
			if math.Abs(plan.Actions-best) > 1e-9 {
				t.Errorf("%.3f actions, the best clicks take %.3f", plan.Actions, best)
			}
		}
	}
}

// TestPlansArePlayable marks random blobs on random nested regions of all shapes.
func TestPlansArePlayable(t *testing.T) {
	const w, h = 96, 80
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 10 {
		fine := voronoi(w, h, 150, rnd)
		parents := voronoi(150, 1, 30, rnd)
		for i, p := range rnd.Perm(150) { // regions that are not even connected
			if i < 20 {
				parents[p] = uint16(rnd.IntN(30))
			}
		}
		coarse := make([]uint16, w*h)
		for i, r := range fine {
			coarse[i] = parents[r]
		}
		p := picture(t, w, h, fine, coarse)
		x, y, r := rnd.IntN(w), rnd.IntN(h), 8+rnd.IntN(25)
		target := make([]bool, w*h)
		for i := range target {
			dx, dy := i%w-x, i/w-y
			target[i] = dx*dx+2*dy*dy < r*r
		}
		if plan, ok := label(p, target, 1); ok {
			check(t, p, plan, target)
		}
	}
}

func voronoi(w, h, n int, rnd *rand.Rand) []uint16 {
	seeds := make([][2]int, n)
	for i := range seeds {
		seeds[i] = [2]int{rnd.IntN(w), rnd.IntN(h)}
	}
	for i := range seeds { // each has its own pixel
		if i < w*h {
			seeds[i] = [2]int{(seeds[i][0]*7 + i) % w, seeds[i][1]}
		}
	}
	labels := make([]uint16, w*h)
	ids := map[int]uint16{}
	for i := range labels {
		best, nearest := 0, math.MaxInt
		for s, at := range seeds {
			dx, dy := i%w-at[0], i/w-at[1]
			if d := dx*dx + dy*dy; d < nearest {
				best, nearest = s, d
			}
		}
		if _, ok := ids[best]; !ok {
			ids[best] = uint16(len(ids))
		}
		labels[i] = ids[best]
	}
	return labels
}

// TestToursAgainstEveryOrder compares tours of few regions with the best of all orders.
func TestToursAgainstEveryOrder(t *testing.T) {
	const w, h, side = 100, 100, 20
	l := picture(t, w, h, cells(w, h, side)).levels[0]
	rnd := rand.New(rand.NewPCG(5, 6))
	sum, least := 0.0, 0.0
	for range 30 {
		regions := make([]int32, 7)
		for i, r := range rnd.Perm(25)[:7] {
			regions[i] = int32(r)
		}
		tour := l.tour(regions, func(r int32) bool { return r%3 == 0 })
		best := math.Inf(1)
		var visit func(last int32, used int, so float64)
		visit = func(last int32, used int, so float64) {
			if used == 1<<7-1 {
				best = min(best, so+tour.price(last, 7))
			}
			for next := range int32(7) {
				if used>>next&1 == 0 {
					visit(next, used|1<<next, so+tour.price(last, next))
				}
			}
		}
		visit(7, 0, 0)
		got := tour.actions()
		if got < best-1e-9 || got > 1.2*best {
			t.Errorf("regions %v: %.2f actions, the best order takes %.2f", regions, got, best)
		}
		sum, least = sum+got, least+best
	}
	if sum > 1.01*least {
		t.Errorf("tours take %.3f times the actions of the best", sum/least)
	}
}
