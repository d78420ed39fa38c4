package superpixel

// The quality mode: more regions than are wanted are merged to as many as are, so that those left are where the picture has
// detail; then the pixels along the borders go to the region that suits them best.

import "math/bits"

// regions are worked on after the k-means. They keep their memory between calls; the zero value is ready.
type regions struct {
	framed
	graph  graph
	sums   []tally     // by region
	sorted []tally     // likewise, of the result
	colors []meanColor // by region, as of the beginning of a pass
	floor  int64       // a region of so many pixels gives none away
	dirty  []uint64    // [h+2][words] bits of the pixels at borders whose 3x3 surroundings have changed since they were looked at
	words  int         // of a row
}

// baseRegions is how many regions fine needs of the k-means to make k, for the best balance of detail and compactness.
func baseRegions(k int) int { return min(9*k/4, MaxRegions) }

// fine makes k regions of about baseRegions(k), in place, and returns their tallies: k, or as many as there are if that is
// less. They are good until the next call.
//
// labels: [h*w], 4-connected regions numbered in the order of first appearance, of the given tallies; so is the result.
func (r *regions) fine(f *field, kernel kernel, labels []uint16, tallies []tally, k int) []tally {
	r.load(labels, f.w, f.h)
	r.graph.build(f, kernel, &r.framed, tallies)
	level := r.graph.mergeTo(evenly, k)[0]
	n := r.graph.alive
	r.relabel(level)
	r.sums, r.colors, r.sorted = grown(r.sums, n), grown(r.colors, n), grown(r.sorted, n)
	for i, k := range level {
		if r.graph.into[i] == int32(i) {
			r.sums[k] = r.graph.nodes[i].tally
		}
	}
	r.floor = int64(f.w * f.h / (16 * n))
	r.words = f.w/64 + 1
	r.dirty = grown(r.dirty, (f.h+2)*r.words)
	for y := range f.h {
		kernel.borders(r.labels[y*r.stride+1:], r.labels[(y+1)*r.stride:], r.labels[(y+2)*r.stride+1:], f.w, r.dirty[(y+1)*r.words:])
	}
	for range passes {
		for i := range r.sums {
			c := r.sums[i].color()
			r.colors[i] = meanColor{int32(c.l), int32(c.a), int32(c.b)}
		}
		for y := range f.h {
			r.refine(f, y)
		}
	}
	for k, id := range r.store(labels, n) {
		r.sorted[id] = r.sums[k]
	}
	return r.sorted
}

// hierarchy merges the regions of a label map on and on to each of the counts, which do not rise, and returns the levels as
// those of a labelmap.Map.
//
// labels: [h*w], 4-connected regions numbered in the order of first appearance, of the given tallies.
func (r *regions) hierarchy(f *field, kernel kernel, labels []uint16, tallies []tally, counts []int) [][]uint16 {
	r.load(labels, f.w, f.h)
	r.graph.build(f, kernel, &r.framed, tallies)
	return r.graph.mergeTo(byObject, counts...)
}

// meanColor is in steps of 1/labScale.
type meanColor struct{ l, a, b int32 }

const (
	passes = 4

	// What a neighbor that has the same label is worth to a pixel, as a squared distance of colors: the borders' smoothness.
	sideWorth   = 16 * labScale * labScale
	cornerWorth = 5 * labScale * labScale
	mostWorth   = 4*sideWorth + 4*cornerWorth
)

// refine gives the dirty pixels of a row to a neighboring region where that lowers the squared distance to the region's mean
// color plus the length of borders (Yao et al. 2015, "Real-time coarse-to-fine topologically preserving segmentation", at its
// finest level). A pixel stays where its region would fall apart without it, so that regions stay 4-connected.
func (r *regions) refine(f *field, y int) {
	packed := f.sums[y*(r.w+1):][:r.w+1]
	dirty := r.dirty[(y+1)*r.words:][:r.words]
	for i := range dirty {
		for left := ^uint64(0); dirty[i]&left != 0; {
			bit := bits.TrailingZeros64(dirty[i] & left)
			x := 64*i + bit
			if x >= r.w {
				return
			}
			left = ^uint64(1) << bit
			dirty[i] &^= 1 << bit
			k := r.labels[(y+1)*r.stride+x+1]
			if best := r.best(f, x, y, k); best != k && r.sums[k].n > r.floor {
				r.labels[(y+1)*r.stride+x+1] = best
				v := packed[x+1] - packed[x]
				r.sums[k].take(v)
				r.sums[best].give(v, 1)
				r.soil(x, y)
			}
		}
	}
}

// best is the region that a pixel of region k goes to.
func (r *regions) best(f *field, x, y int, k uint16) uint16 {
	corner := at(&r.labels[0], y*r.stride+x) // the pixel up and left
	around := square{four(corner), four(at(corner, r.stride)), four(at(corner, 2*r.stride))}
	up, left, right, down := uint16(around[0]>>16), uint16(around[1]), uint16(around[1]>>32), uint16(around[2]>>16)
	if up == k && down == k && left == k && right == k {
		return k
	}
	own := around.same(k)
	if !simple[own] {
		return k
	}
	c := f.at(x, y)
	pixel := meanColor{int32(c.l), int32(c.a), int32(c.b)}
	best, least := k, pixel.distance2(&r.colors[k])-worth[own]
	// A color from here on cannot be better: what is worth nothing to k may be to it.
	farthest := least + mostWorth - worth[own]
	last := k
	for _, other := range [4]uint16{up, left, right, down} {
		if other == k || other == last || other == outside {
			continue
		}
		last = other
		d := pixel.distance2(&r.colors[other])
		if d >= farthest {
			continue
		}
		if d -= worth[around.same(other)]; d < least {
			best, least = other, d
		}
	}
	return best
}

// soil makes the 3x3 surroundings of a pixel dirty.
func (r *regions) soil(x, y int) {
	first, last := max(x-1, 0), min(x+1, r.w-1)
	for at := y * r.words; at <= (y+2)*r.words; at += r.words {
		r.dirty[at+first/64] |= 1 << (first % 64)
		r.dirty[at+x/64] |= 1 << (x % 64)
		r.dirty[at+last/64] |= 1 << (last % 64)
	}
}

// distance2 is the squared distance of two colors, in which lightness counts twice.
func (c meanColor) distance2(d *meanColor) int32 {
	l, a, b := c.l-d.l, c.a-d.a, c.b-d.b
	return 2*l*l + a*a + b*b
}

// square is the labels of 3x3 pixels, each row in the lower three lanes of 16 bits.
type square [3]uint64

// same has a bit set for each pixel of the square whose label is k, column by column.
func (s *square) same(k uint16) uint {
	every := uint64(k) * 0x0001_0001_0001_0001
	m := zeros(s[0]^every)>>15 | zeros(s[1]^every)>>14 | zeros(s[2]^every)>>13
	return uint(m|m>>13|m>>26) & (1<<9 - 1)
}

// zeros has the top bit set of each lane of 16 bits that is zero.
func zeros(v uint64) uint64 {
	const low = 0x7fff_7fff_7fff_7fff
	return ^(v&low + low | v | low)
}

// Tables by set of pixels of a square, column by column, of which the middle makes no difference: simple tells whether those
// 4-adjacent to the middle are 4-connected without it; worth is what a set is worth to the middle if it has its label.
var simple, worth = squares()

func squares() (simple [1 << 9]bool, worth [1 << 9]int32) {
	around := [8]int{0, 3, 6, 7, 8, 5, 2, 1} // clockwise from the upper left: corners and sides in turn
	for set := range simple {
		has := func(i int) int { return set >> around[i&7] & 1 }
		arcs, sides := 0, 0
		for side := 1; side < 8; side += 2 {
			worth[set] += int32(sideWorth*has(side) + cornerWorth*has(side+1))
			sides += has(side)
			arcs += has(side) &^ (has(side+1) & has(side+2)) // that end at this side
		}
		simple[set] = arcs == 1 || arcs == 0 && sides == 4
	}
	return simple, worth
}
