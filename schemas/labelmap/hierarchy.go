package labelmap

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
)

// nearest bounds the neighbors that are remembered of a region.
const nearest = 8

// neighbors are, of each region, the first few that were found to touch it, of those that appeared before it.
type neighbors []struct {
	of [nearest]uint16
	n  int
}

// add notes that two regions touch.
func (near neighbors) add(a, b uint16) {
	if a == b {
		return
	}
	at, other := &near[max(a, b)], min(a, b)
	for _, known := range at.of[:at.n] {
		if known == other {
			return
		}
	}
	if at.n < nearest {
		at.of[at.n] = other
		at.n++
	}
}

// pairs are regions that were found to touch lately, by a hash of both: most borders go on for several rows.
type pairs [1 << 10]uint32

// again says that two regions were the last of their hash, and makes them so.
func (p *pairs) again(a, b uint16) bool {
	pair := uint32(a)<<16 | uint32(b)
	last := &p[pair*0x9E3779B1>>22]
	known := *last == pair
	*last = pair
	return known
}

// neighbors finds which of n regions touch: run by run, first the run on the left, then those above from left to right.
func (c *contours) neighbors(ids []uint16, n int) neighbors {
	near := make(neighbors, n)
	var lately pairs
	touch := func(a, b uint16) {
		if a != b && !lately.again(a, b) {
			near.add(a, b)
		}
	}
	region := func(i int) uint16 { return ids[c.runs[i].piece] }
	above, from := -1, int32(0) // the run above the start of run i; where run i starts
	var left uint16
	for _, r := range c.runs {
		id := ids[r.piece]
		if from > 0 {
			touch(id, left)
		}
		for above >= 0 {
			touch(id, region(above))
			end := c.runs[above].end
			if end <= r.end {
				above++
			}
			if end >= r.end {
				break
			}
		}
		left = id
		if from = r.end; int(from) == c.w {
			from, above = 0, max(above, 0)
		}
	}
	return near
}

// merge is what touches on the next level of n regions, found region by region.
func (near neighbors) merge(parents []uint16, n int) neighbors {
	up := make(neighbors, n)
	for r, p := range parents {
		for _, other := range near[r].of[:near[r].n] {
			up.add(p, parents[other])
		}
	}
	return up
}

// parents writes or reads what region of the next level each region is part of: [regions] in either case. It returns how many
// regions the next level has; near may be nil.
func (c *coder) parents(list []uint16, near neighbors) (n int, err error) {
	models := newModels(nearest + 1)
	for r := range list {
		var tried [nearest]uint16
		k := 0
		found := false
		if near != nil {
			for _, other := range near[r].of[:near[r].n] {
				p := list[other]
				if slices.Contains(tried[:k], p) {
					continue
				}
				if found = c.bit(&models[k], list[r] == p); found {
					list[r] = p
					break
				}
				tried[k] = p
				k++
			}
		}
		if found {
			continue
		}
		if int(list[r]) > n {
			return 0, errors.New("regions are not numbered in the order of first appearance")
		}
		if c.bit(&models[nearest], int(list[r]) == n) {
			if n == 1<<16 {
				return 0, fmt.Errorf("more than %d regions", 1<<16)
			}
			list[r] = uint16(n)
			n++
			continue
		}
		p := c.plain(int(list[r]), bits.Len(uint(max(n-1, 0))))
		if p >= n {
			return 0, fmt.Errorf("part of region %d of %d", p, n)
		}
		list[r] = uint16(p)
	}
	return n, nil
}
