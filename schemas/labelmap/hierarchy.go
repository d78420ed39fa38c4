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

// neighbors are those of n regions, by the contacts of their runs.
func (c *contours) neighbors(ids []uint16, n int) neighbors {
	near := make(neighbors, n)
	var lately pairs
	for _, t := range c.contacts {
		a, b := ids[c.runs[t.a].piece], ids[c.runs[t.b].piece]
		if a != b && !lately.again(a, b) {
			near.add(a, b)
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

// The models of levels: how many neighbors have a parent, by how many parents are left to ask.
const (
	mostVotes  = 3
	mostLeft   = 4
	askNew     = mostVotes * mostLeft
	levelAsked = askNew + 1
)

// parents writes or reads what region of the next level each region is part of: [regions] in either case. It returns how many
// regions the next level has; near may be nil.
func (c *coder) parents(list []uint16, near neighbors) (n int, err error) {
	c.use(freshModels(levelAsked))
	for r := range list {
		if near != nil && c.known(list, r, near[r].of[:near[r].n]) {
			continue
		}
		if int(list[r]) > n {
			return 0, errors.New("regions are not numbered in the order of first appearance")
		}
		if c.bit(askNew, int(list[r]) == n) {
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

// known writes or reads whether the parent of region r is that of one of its neighbors, and which.
func (c *coder) known(list []uint16, r int, near []uint16) bool {
	var parents, votes [nearest]uint16
	n := 0
	for _, other := range near {
		p := list[other]
		k := slices.Index(parents[:n], p)
		if k < 0 {
			k = n
			parents[n] = p
			n++
		}
		votes[k]++
	}
	for k, p := range parents[:n] {
		if c.bit(mostLeft*(min(int(votes[k]), mostVotes)-1)+min(n-k, mostLeft)-1, list[r] == p) {
			list[r] = p
			return true
		}
	}
	return false
}
