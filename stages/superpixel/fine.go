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
	dirty  []uint64    // [h+2][words] bits of the pixels at borders that are to be looked at, since one of four neighbors has changed
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
	passes = 5

	// What a neighbor that has the same label is worth to a pixel, as a squared distance of colors: the borders' smoothness.
	sideWorth   = 16 * labScale * labScale
	cornerWorth = 5 * labScale * labScale
)

// refine gives the dirty pixels of a row to a neighboring region where that lowers the squared distance to the region's mean
// color plus the length of borders (Yao et al. 2015, "Real-time coarse-to-fine topologically preserving segmentation", at its
// finest level). A pixel stays where its region would fall apart without it, so that regions stay 4-connected.
//
// Branches that cannot be foretold are what this costs, so there are few.
func (r *regions) refine(f *field, y int) {
	packed := f.sums[y*(r.w+1):][:r.w+1]
	l, a, b := f.l[y*f.stride:][:r.w], f.a[y*f.stride:][:r.w], f.b[y*f.stride:][:r.w]
	corner := &r.labels[y*r.stride] // the pixel up and left of the first
	dirty := r.dirty[(y+1)*r.words:][:r.words]
	for i := range dirty {
		todo := dirty[i]
		dirty[i] = 0
		for ; todo != 0; todo &= todo - 1 {
			bit := bits.TrailingZeros64(todo)
			x := 64*i + bit
			if x >= len(l) {
				return
			}
			around := surroundings(four(at(corner, x)), four(at(corner, r.stride+x)), four(at(corner, 2*r.stride+x)))
			k := *at(corner, r.stride+x+1)
			own, others := around.same(k)
			if !loose[own] {
				continue
			}
			pixel := meanColor{int32(l[x]), int32(a[x]), int32(b[x])}
			best, least := k, pixel.distance2(&r.colors[k])-worth[own]
			for others != 0 { // one, mostly
				other := around.first(others)
				set, differ := around.same(other)
				others &= differ
				if other == outside {
					continue
				}
				if d := pixel.distance2(&r.colors[other]) - worth[set]; d < least {
					best, least = other, d
				}
			}
			if best != k && r.sums[k].n > r.floor {
				*at(corner, r.stride+x+1) = best
				v := packed[x+1] - packed[x]
				r.sums[k].take(v)
				r.sums[best].give(v, 1)
				r.soil(x, y)
				ahead := dirty[i] &^ (2<<bit - 1) // the next pixel, still in this pass
				todo |= ahead
				dirty[i] ^= ahead
			}
		}
	}
}

// soil makes the neighbors of a pixel dirty.
func (r *regions) soil(x, y int) {
	row, bit := (y+1)*r.words, uint64(1)<<(x%64)
	r.dirty[row-r.words+x/64] |= bit
	r.dirty[row+r.words+x/64] |= bit
	left, right := max(x-1, 0), min(x+1, r.w-1)
	r.dirty[row+left/64] |= 1 << (left % 64)
	r.dirty[row+right/64] |= 1 << (right % 64)
}

// distance2 is the squared distance of two colors, in which lightness counts twice.
func (c meanColor) distance2(d *meanColor) int32 {
	l, a, b := c.l-d.l, c.a-d.a, c.b-d.b
	return 2*l*l + a*a + b*b
}

// square is the labels around a pixel, in lanes of 16 bits: those up, left, right and down, and those up left, up right, down left
// and down right.
type square struct{ sides, corners uint64 }

// surroundings makes the square of 3x3 labels, of each row in the lower three lanes.
func surroundings(above, row, below uint64) square {
	const first, second, third = 0xffff, 0xffff << 16, 0xffff << 32
	return square{
		sides:   above>>16&first | row<<16&second | row&third | below<<32&(second<<32),
		corners: above&(first|third) | (below&(first|third))<<16,
	}
}

// same has a bit set for each pixel of the square whose label is k: up left, up, down left, left, up right, right, down right, down,
// from the lowest on. differ has the top bit set of each lane of sides whose label is another.
func (s square) same(k uint16) (set uint8, differ uint64) {
	every := uint64(k) * 0x0001_0001_0001_0001
	sides := zeros(s.sides ^ every)
	m := zeros(s.corners^every)>>15 | sides>>14
	m |= m >> 14
	return uint8(m | m>>28), sides ^ topBits
}

// first is the label of the first lane of sides that has its top bit set.
func (s square) first(lanes uint64) uint16 {
	return uint16(s.sides >> (bits.TrailingZeros64(lanes) & 48))
}

const topBits = 0x8000_8000_8000_8000

// zeros has the top bit set of each lane of 16 bits that is zero.
func zeros(v uint64) uint64 {
	return ^(v&^topBits + ^uint64(topBits) | v | ^uint64(topBits))
}

// Tables by set of pixels of a square, as same has them: loose tells whether those 4-adjacent to the middle are not all of them, and
// 4-connected without it; worth is what a set is worth to the middle if it has its label.
var loose, worth = squares()

func squares() (loose [1 << 8]bool, worth [1 << 8]int32) {
	around := [8]int{0, 1, 4, 5, 6, 7, 2, 3} // clockwise from the upper left: corners and sides in turn
	for set := range loose {
		has := func(i int) int { return set >> around[i&7] & 1 }
		arcs, sides := 0, 0
		for side := 1; side < 8; side += 2 {
			worth[set] += int32(sideWorth*has(side) + cornerWorth*has(side+1))
			sides += has(side)
			arcs += has(side) &^ (has(side+1) & has(side+2)) // that end at this side
		}
		loose[set] = arcs == 1 && sides < 4
	}
	return loose, worth
}
