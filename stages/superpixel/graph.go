package superpixel

// The region adjacency graph: what regions look like and how they border on each other.

import "math/bits"

// graph is the region adjacency graph of a label map, with the heap of its possible merges. It keeps its memory between
// builds; the zero value is ready.
type graph struct {
	nodes []node
	edges []edge
	alive int     // regions that are not part of another
	into  []int32 // by node: the node it was merged into, or itself

	slots []int32 // while edges are found, a hash table of their numbers plus one
	runs  [2][]int32
	criterion
	heap  []uint64 // of possible merges
	place []int32  // by edge: where in the heap it is
	seen  []int32  // by node: while two nodes are merged, the first one's edge to it plus one; 0 otherwise
	ids   []int32  // by node: while levels are numbered, its region of the level before
}

// node is a region.
type node struct {
	tally
	mean    [3]float32 // of L, a, b, in steps of 1/labScale
	seams   border     // that were within it as it was merged
	texture float32    // mean contrast of the seams, 0 without any
	first   int32      // of its list of sides, -1 for none
}

// border is what is known of a border between regions.
type border struct {
	length   int64 // in pixel edges
	contrast int64 // sum of |dL|+|da|+|db| across it, in steps of 1/labScale
}

// edge says that two regions border on each other. Its two sides, 2*edge and 2*edge+1, are in the lists of the two nodes.
type edge struct {
	node       [2]int32
	next, prev [2]int32 // of the lists that its sides are in
	border
}

// build makes the graph of a label map with the regions whose tallies are given.
func (g *graph) build(f *field, k kernel, m *framed, tallies []tally) {
	n := len(tallies)
	g.alive = n
	g.nodes, g.into, g.seen = grown(g.nodes, n), grown(g.into, n), grown(g.seen, n)
	clear(g.nodes)
	clear(g.seen)
	for i := range g.nodes {
		p := &g.nodes[i]
		p.tally, p.first, g.into[i] = tallies[i], -1, int32(i)
		p.average()
	}
	g.edges = g.edges[:0]
	g.slots = grown(g.slots, 1<<bits.Len(uint(6*n))) // a planar graph has less than 3*n edges
	clear(g.slots)
	for i := range g.runs {
		g.runs[i] = grown(g.runs[i], m.w+2*pad)
	}
	var above []int32
	for y := range m.h {
		runs := g.runs[y&1]
		runs[0] = 0
		last := 1 + k.edges(m.row(y), m.w, runs[1:])
		runs[last] = int32(m.w)
		runs = runs[:last+1]
		g.addRow(f, m.row(y), runs, y)
		if y > 0 {
			g.addBorders(f, m.row(y-1), m.row(y), above, runs, y)
		}
		above = runs
	}
}

// addRow adds the borders within a row. Runs of one label begin at runs, whose last element is the width.
func (g *graph) addRow(f *field, row []uint16, runs []int32, y int) {
	for _, x := range runs[1 : len(runs)-1] {
		contrast := f.at(int(x)-1, y).distance(f.at(int(x), y))
		g.touch(row[x-1], row[x], border{1, int64(contrast)})
	}
}

// addBorders adds the borders between a row and the one above it.
func (g *graph) addBorders(f *field, above, row []uint16, over, runs []int32, y int) {
	from := int32(0)
	for q, r := 0, 0; r+1 < len(runs); {
		to := min(over[q+1], runs[r+1])
		if a, b := above[from], row[from]; a != b {
			contrast := int64(0)
			for x := int(from); x < int(to); x++ {
				contrast += int64(f.at(x, y-1).distance(f.at(x, y)))
			}
			g.touch(a, b, border{int64(to - from), contrast})
		}
		if over[q+1] == to {
			q++
		}
		if runs[r+1] == to {
			r++
		}
		from = to
	}
}

// touch adds a piece of the border between two regions.
func (g *graph) touch(p, q uint16, piece border) {
	u, v := int32(min(p, q)), int32(max(p, q))
	mask := uint32(len(g.slots) - 1)
	for at := (uint32(u)<<16 | uint32(v)) * 0x9E3779B1 >> 7 & mask; ; at = (at + 1) & mask {
		i := g.slots[at] - 1
		if i < 0 {
			i = int32(len(g.edges))
			g.slots[at] = i + 1
			g.edges = append(g.edges, edge{node: [2]int32{u, v}})
			g.link(2 * i)
			g.link(2*i + 1)
		}
		if e := &g.edges[i]; e.node == [2]int32{u, v} {
			e.add(piece)
			return
		}
	}
}

// link puts a side of an edge into the list of its node.
func (g *graph) link(side int32) {
	e, s := &g.edges[side>>1], side&1
	p := &g.nodes[e.node[s]]
	e.prev[s], e.next[s] = -1, p.first
	if p.first >= 0 {
		g.edges[p.first>>1].prev[p.first&1] = side
	}
	p.first = side
}

// unlink takes a side of an edge out of the list of its node.
func (g *graph) unlink(side int32) {
	e, s := &g.edges[side>>1], side&1
	prev, next := e.prev[s], e.next[s]
	if prev >= 0 {
		g.edges[prev>>1].next[prev&1] = next
	} else {
		g.nodes[e.node[s]].first = next
	}
	if next >= 0 {
		g.edges[next>>1].prev[next&1] = prev
	}
}

func (b *border) add(c border) {
	b.length += c.length
	b.contrast += c.contrast
}

// mean is the contrast of a pixel edge.
func (b *border) mean() float32 { return float32(b.contrast) / float32(b.length) }

// average updates what follows from the sums.
func (p *node) average() {
	c := p.color()
	p.mean = [3]float32{float32(c.l), float32(c.a), float32(c.b)}
	if p.seams.length > 0 {
		p.texture = p.seams.mean()
	}
}
