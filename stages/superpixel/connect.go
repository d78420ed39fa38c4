package superpixel

// Connectivity: k-means may scatter a cluster over several pieces.

import (
	"cmp"
	"slices"
)

// piece is a 4-connected set of pixels of one label. Merged pieces form a chain from the one that is left.
type piece struct {
	from, to int32 // of its own pixels in the order of pieces
	size     int32 // pixels, with those merged into it
	into     int32 // the piece it was merged into, or itself
	next     int32 // the next piece of its chain, or -1
	last     int32 // the last piece of its chain
	l, a, b  int64 // sums of color over size
}

// pieces are the pieces of a label map.
type pieces struct {
	w, h  int
	all   []piece
	of    []int32 // [h*w] the piece of each pixel
	order []int32 // [h*w] pixels, piece by piece
}

// connect makes every region 4-connected: each piece of a label becomes a region of its own, but one smaller than minSize is
// merged, smallest first, into the neighbor nearest in mean color. Regions are numbered in the order of first appearance,
// in place.
func connect(labels []uint16, img lab, w, h, minSize int) ([]uint16, int) {
	ps := findPieces(labels, img, w, h)
	ps.merge(int32(minSize))
	ids := make([]int32, len(ps.all))
	n := int32(0)
	for i, p := range ps.of {
		root := ps.root(p)
		if ids[root] == 0 {
			n++
			ids[root] = n
		}
		labels[i] = uint16(ids[root] - 1)
	}
	return labels, int(n)
}

func findPieces(labels []uint16, img lab, w, h int) *pieces {
	ps := &pieces{w: w, h: h, of: make([]int32, w*h), order: make([]int32, 0, w*h)}
	for i := range ps.of {
		ps.of[i] = -1
	}
	for start := range labels {
		if ps.of[start] >= 0 {
			continue
		}
		id := int32(len(ps.all))
		p := piece{from: int32(len(ps.order)), into: id, next: -1, last: id}
		ps.of[start] = id
		ps.order = append(ps.order, int32(start))
		for at := int(p.from); at < len(ps.order); at++ {
			i := ps.order[at]
			p.l, p.a, p.b = p.l+int64(img.l[i]), p.a+int64(img.a[i]), p.b+int64(img.b[i])
			for _, j := range ps.around(i) {
				if j >= 0 && ps.of[j] < 0 && labels[j] == labels[start] {
					ps.of[j] = id
					ps.order = append(ps.order, j)
				}
			}
		}
		p.to = int32(len(ps.order))
		p.size = p.to - p.from
		ps.all = append(ps.all, p)
	}
	return ps
}

// around are the four neighbors of a pixel, -1 outside of the image.
func (ps *pieces) around(i int32) [4]int32 {
	w := int32(ps.w)
	n := [4]int32{i - 1, i + 1, i - w, i + w}
	x := i % w
	if x == 0 {
		n[0] = -1
	}
	if x == w-1 {
		n[1] = -1
	}
	if n[3] >= w*int32(ps.h) {
		n[3] = -1
	}
	return n // above the first row i-w is negative
}

func (ps *pieces) root(p int32) int32 {
	for ps.all[p].into != p {
		ps.all[p].into = ps.all[ps.all[p].into].into
		p = ps.all[p].into
	}
	return p
}

func (ps *pieces) merge(minSize int32) {
	var small []int32
	for i, p := range ps.all {
		if p.size < minSize {
			small = append(small, int32(i))
		}
	}
	slices.SortStableFunc(small, func(i, j int32) int { return cmp.Compare(ps.all[i].size, ps.all[j].size) })
	for _, id := range small {
		// Smaller pieces may have been merged into it.
		if ps.all[id].size >= minSize {
			continue
		}
		if to := ps.nearest(id); to >= 0 {
			ps.join(id, to)
		}
	}
}

// nearest is the neighbor of a root piece with the nearest mean color, -1 where it fills the image.
func (ps *pieces) nearest(id int32) int32 {
	best, bestDistance := int32(-1), 0.0
	own := ps.all[id].color()
	for p := id; p >= 0; p = ps.all[p].next {
		for _, i := range ps.order[ps.all[p].from:ps.all[p].to] {
			for _, j := range ps.around(i) {
				if j < 0 || ps.of[j] == p {
					continue
				}
				other := ps.root(ps.of[j])
				if other == id || other == best {
					continue
				}
				c := ps.all[other].color()
				dl, da, db := c[0]-own[0], c[1]-own[1], c[2]-own[2]
				if d := dl*dl + da*da + db*db; best < 0 || d < bestDistance {
					best, bestDistance = other, d
				}
			}
		}
	}
	return best
}

func (p *piece) color() [3]float64 {
	n := float64(p.size)
	return [3]float64{float64(p.l) / n, float64(p.a) / n, float64(p.b) / n}
}

func (ps *pieces) join(id, to int32) {
	p, q := &ps.all[id], &ps.all[to]
	p.into = to
	ps.all[q.last].next = id
	q.last = p.last
	q.size += p.size
	q.l, q.a, q.b = q.l+p.l, q.a+p.a, q.b+p.b
}
