package superpixel

// Merging: of all pairs of neighbors the one that costs least becomes one region, again and again (Ward 1963, "Hierarchical
// grouping to optimize an objective function", restricted to neighbors).

import "math"

// criterion tells what it costs to merge two neighbors.
type criterion struct {
	edges   float32 // how much the contrast along the border weighs, where a difference of the mean colors weighs 1
	texture float32 // how much of the contrast within the regions is no edge where it occurs between them
}

var (
	// evenly makes superpixels: regions of similar size, smaller where the picture has detail.
	evenly = criterion{edges: 0.2}

	// byObject makes the levels of a hierarchy: borders stay where edges are strong, beyond the texture of their sides.
	byObject = criterion{edges: 3, texture: 0.5}
)

// cost is Ward's, the increase of the squared error of color, with the squared contrast along the border added to that of
// the means (as the ultrametric contour maps of Arbeláez et al. 2011 weigh borders by their mean strength), times size over
// border length, which lets small regions go first and keeps regions compact. As Felzenszwalb and Huttenlocher (2004) do, it
// compares the contrast between regions with that within: with the lesser of the two textures.
//
// The conversions forbid fused operations, so that all processors agree.
func (c criterion) cost(p, q *node, e *edge) float32 {
	size := float32(p.n) * float32(q.n) / float32(p.n+q.n)
	contrast := max(e.mean()-float32(c.texture*min(p.texture, q.texture)), 0)
	l, a, b := p.mean[0]-q.mean[0], p.mean[1]-q.mean[1], p.mean[2]-q.mean[2]
	d := float32(l*l) + float32(a*a) + float32(b*b) + float32(c.edges*float32(contrast*contrast))
	return size * (size / float32(e.length)) * d
}

// mergeTo merges the regions to each of the counts, which do not rise. Each level of the result maps the regions of the
// level before, at first those of the label map, to its own, numbered in the order of first appearance. A count that is
// not below what there is merges nothing; one below 1 is 1. Ties go to the border that appears first. It is called once
// after build.
func (g *graph) mergeTo(c criterion, counts ...int) [][]uint16 {
	g.criterion = c
	g.fillHeap()
	levels := make([][]uint16, len(counts))
	g.ids = grown(g.ids, len(g.nodes))
	for i := range g.ids {
		g.ids[i] = int32(i)
	}
	for i, count := range counts {
		levels[i] = make([]uint16, g.alive)
		for g.alive > max(count, 1) {
			g.merge(int32(uint32(g.heap[0])))
		}
		g.number(levels[i])
	}
	return levels
}

// number fills a level and makes its regions those of the level before.
func (g *graph) number(level []uint16) {
	next := int32(0)
	for i := range g.into {
		// The nodes are in the order of first appearance, so the first one of a region numbers it.
		root := g.root(int32(i))
		if g.seen[root] == 0 {
			next++
			g.seen[root] = next
		}
		level[g.ids[i]] = uint16(g.seen[root] - 1)
		g.ids[i] = g.seen[root] - 1
	}
	clear(g.seen)
}

func (g *graph) root(i int32) int32 {
	for g.into[i] != i {
		g.into[i] = g.into[g.into[i]]
		i = g.into[i]
	}
	return i
}

// merge makes one region of the two of an edge.
func (g *graph) merge(i int32) {
	e := &g.edges[i]
	u, v := e.node[0], e.node[1]
	g.drop(i)
	g.unlink(2 * i)
	g.unlink(2*i + 1)
	g.into[v] = u
	g.alive--
	p, q := &g.nodes[u], &g.nodes[v]
	p.absorb(q, e.border)
	for side := p.first; side >= 0; {
		f := &g.edges[side>>1]
		g.seen[f.node[side&1^1]] = side>>1 + 1
		side = f.next[side&1]
	}
	for side := q.first; side >= 0; {
		f := &g.edges[side>>1]
		next := f.next[side&1]
		if same := g.seen[f.node[side&1^1]] - 1; same >= 0 {
			g.edges[same].add(f.border)
			g.drop(side >> 1)
			g.unlink(side ^ 1)
		} else {
			f.node[side&1] = u
			g.link(side)
		}
		side = next
	}
	for side := p.first; side >= 0; {
		f := &g.edges[side>>1]
		g.seen[f.node[side&1^1]] = 0
		g.update(side >> 1)
		side = f.next[side&1]
	}
}

// absorb adds a neighbor to a region, and the border between them to its seams.
func (p *node) absorb(q *node, seam border) {
	p.merge(&q.tally)
	p.seams.add(q.seams)
	p.seams.add(seam)
	p.average()
}

// The heap holds the possible merges, the cheapest first: the bits of the cost, which are in the order of costs since none
// is negative, over the number of the edge, which decides ties. It is 4-ary, for the cache's sake.

// key is an edge's element of the heap.
func (g *graph) key(i int32) uint64 {
	e := &g.edges[i]
	cost := g.cost(&g.nodes[e.node[0]], &g.nodes[e.node[1]], e)
	return uint64(math.Float32bits(cost))<<32 | uint64(i)
}

func (g *graph) fillHeap() {
	g.heap, g.place = grown(g.heap, len(g.edges))[:0], grown(g.place, len(g.edges))
	for i := range g.edges {
		g.place[i] = int32(i)
		g.heap = append(g.heap, g.key(int32(i)))
	}
	for at := (len(g.heap) - 2) / 4; at >= 0 && len(g.heap) > 0; at-- {
		g.down(at, g.heap[at])
	}
}

// update puts an edge whose cost has changed into its place.
func (g *graph) update(i int32) {
	g.put(int(g.place[i]), g.key(i))
}

// drop takes an edge out of the heap.
func (g *graph) drop(i int32) {
	at, last := int(g.place[i]), len(g.heap)-1
	key := g.heap[last]
	g.heap = g.heap[:last]
	if at < last {
		g.put(at, key)
	}
}

// put writes a key at a place whose old key is not needed any more, and restores the order.
func (g *graph) put(at int, key uint64) {
	for at > 0 {
		up := (at - 1) / 4
		if g.heap[up] <= key {
			break
		}
		g.heap[at] = g.heap[up]
		g.place[uint32(g.heap[at])] = int32(at)
		at = up
	}
	g.down(at, key)
}

// down writes a key at a place or below it.
func (g *graph) down(at int, key uint64) {
	for {
		child := 4*at + 1
		if child >= len(g.heap) {
			break
		}
		least := child
		for c := child + 1; c < min(child+4, len(g.heap)); c++ {
			if g.heap[c] < g.heap[least] {
				least = c
			}
		}
		if g.heap[least] >= key {
			break
		}
		g.heap[at] = g.heap[least]
		g.place[uint32(g.heap[at])] = int32(at)
		at = least
	}
	g.heap[at] = key
	g.place[uint32(key)] = int32(at)
}
