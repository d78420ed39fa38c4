package labeler

import (
	"cmp"
	"container/heap"
	"slices"
)

// How to select given regions of one level with the least strokes. From one region to the next the person either drags, over
// regions that are to be selected or are already, or lifts the hand and begins another stroke for one action. So a sequence of
// all regions is looked for in which the steps, at most one action each, add up to little: a traveling salesman's tour, by
// nearest links first, then local search among steps shorter than a lift.

const lift = 1.0

// tour is the regions in the order of the tour. Region len(nodes) is the outside, half a lift away from all, where it begins
// and ends.
type tour struct {
	level *level
	nodes []int32
	near  [][]step // from each node, nearest first, those that are nearer than a lift
	cost  map[[2]int32]float64
	order []int32 // of indices, the outside among them, a cycle
	at    []int32 // where in order an index is
}

// step leads to another node. via are the regions on the way.
type step struct {
	to   int32
	cost float64
	via  []int32
}

// strokes are the drags and clicks of the tour.
func (t *tour) strokes() [][]Point {
	l := t.level
	var all [][]Point
	n := len(t.order)
	start := int(t.at[len(t.nodes)])
	for i := 1; i < n; i++ {
		node := t.order[(start+i)%n]
		heart := l.point(l.heart[t.nodes[node]])
		if i > 1 {
			if way := t.step(t.order[(start+i-1)%n], node); way != nil {
				stroke := all[len(all)-1]
				for j := 1; j < len(way.via); j++ {
					stroke = append(stroke, l.link(way.via[j-1], way.via[j]).path[1:]...)
				}
				all[len(all)-1] = stroke
				continue
			}
		}
		all = append(all, []Point{heart})
	}
	return all
}

// tour plans how regions are selected, at least one, where the hand may also drag over passable ones.
func (l *level) tour(regions []int32, passable func(int32) bool) *tour {
	t := &tour{level: l, nodes: regions, cost: map[[2]int32]float64{}}
	clear(l.marks.node)
	for i, r := range regions {
		l.marks.node[r] = int32(i) + 1
	}
	for i := range regions {
		t.near = append(t.near, t.reach(int32(i), passable))
		for _, s := range t.near[i] {
			t.cost[[2]int32{int32(i), s.to}] = s.cost
		}
	}
	t.near = append(t.near, nil)
	t.begin()
	for t.improve() {
	}
	return t
}

// reach finds the nodes that are nearer than a lift, nearest first (Dijkstra 1959).
func (t *tour) reach(from int32, passable func(int32) bool) []step {
	l, m := t.level, &t.level.marks
	m.now++
	start := t.nodes[from]
	m.far[start], m.met[start] = 0, m.now
	var steps []step
	for queue := (waiting{{start, 0}}); len(queue) > 0; {
		w := heap.Pop(&queue).(wait)
		if m.done[w.region] == m.now {
			continue
		}
		m.done[w.region] = m.now
		if to := m.node[w.region] - 1; to >= 0 && to != from {
			via := []int32{w.region}
			for r := w.region; r != start; r = m.before[r] {
				via = append(via, m.before[r])
			}
			slices.Reverse(via)
			steps = append(steps, step{to, w.far / pixelsPerAction, via})
		}
		for i, next := range l.around[w.region] {
			r := next.region
			if m.done[r] == m.now || m.node[r] == 0 && !passable(r) {
				continue
			}
			d := w.far + l.distance(w.region, i)
			if d < lift*pixelsPerAction && (m.met[r] != m.now || d < m.far[r]) {
				m.far[r], m.before[r], m.met[r] = d, w.region, m.now
				heap.Push(&queue, wait{r, d})
			}
		}
	}
	return steps
}

type wait struct {
	region int32
	far    float64
}

type waiting []wait

func (w waiting) Len() int           { return len(w) }
func (w waiting) Less(i, j int) bool { return w[i].far < w[j].far }
func (w waiting) Swap(i, j int)      { w[i], w[j] = w[j], w[i] }
func (w *waiting) Push(x any)        { *w = append(*w, x.(wait)) }
func (w *waiting) Pop() any {
	old := *w
	x := old[len(old)-1]
	*w = old[:len(old)-1]
	return x
}

// step is the way by drag between two nodes, nil where lifting is as good.
func (t *tour) step(from, to int32) *step {
	for i := range t.near[from] {
		if t.near[from][i].to == to {
			return &t.near[from][i]
		}
	}
	return nil
}

func (t *tour) price(a, b int32) float64 {
	if outside := int32(len(t.nodes)); a == outside || b == outside {
		return lift / 2
	}
	if c, ok := t.cost[[2]int32{a, b}]; ok {
		return c
	}
	return lift
}

// actions of the tour: every lift begins a stroke, and so does the outside.
func (t *tour) actions() float64 {
	sum := 0.0
	for i, a := range t.order {
		sum += t.price(a, t.order[(i+1)%len(t.order)])
	}
	return sum
}

// begin takes the cheapest steps that leave paths, and lifts between the paths.
func (t *tour) begin() {
	type edge struct {
		a, b int32
		cost float64
	}
	var edges []edge
	for a, steps := range t.near {
		for _, s := range steps {
			if int32(a) < s.to {
				edges = append(edges, edge{int32(a), s.to, s.cost})
			}
		}
	}
	slices.SortStableFunc(edges, func(x, y edge) int { return cmp.Compare(x.cost, y.cost) })
	n := len(t.nodes)
	next := make([][]int32, n)
	end := make([]int32, n) // of a path's end, its other end
	for i := range end {
		end[i] = int32(i)
	}
	for _, e := range edges {
		if len(next[e.a]) > 1 || len(next[e.b]) > 1 || end[e.a] == e.b {
			continue
		}
		next[e.a], next[e.b] = append(next[e.a], e.b), append(next[e.b], e.a)
		p, q := end[e.a], end[e.b]
		end[p], end[q] = q, p
	}
	seen := make([]bool, n)
	t.order = append(t.order, int32(n))
	for i := range n {
		if seen[i] || len(next[i]) > 1 {
			continue
		}
		for at := int32(i); at >= 0; {
			seen[at] = true
			t.order = append(t.order, at)
			to := int32(-1)
			for _, b := range next[at] {
				if !seen[b] {
					to = b
				}
			}
			at = to
		}
	}
	t.at = make([]int32, n+1)
	t.place()
}

func (t *tour) place() {
	for i, a := range t.order {
		t.at[a] = int32(i)
	}
}

func (t *tour) after(a int32) int32  { return t.order[(int(t.at[a])+1)%len(t.order)] }
func (t *tour) before(a int32) int32 { return t.order[(int(t.at[a])+len(t.order)-1)%len(t.order)] }

// saved is how many actions it saves to leave out each node.
func (t *tour) saved() []float64 {
	all := make([]float64, len(t.nodes))
	if len(all) == 1 {
		all[0] = lift
		return all
	}
	for a := range int32(len(t.nodes)) {
		b, c := t.before(a), t.after(a)
		all[a] = t.price(b, a) + t.price(a, c) - t.price(b, c)
	}
	return all
}
