package superpixel

// Connectivity: k-means may scatter a cluster over several pieces. They are found and merged by runs: what lies between two
// changes of label in a row.

import "slices"

// pieces are the 4-connected pieces of a label map, and what they are merged into.
type pieces struct {
	*slic

	bands  []band
	starts []int32 // of each run, its first column
	rows   []int32 // [h+1] the first run of each row
	of     []int32 // of each run, its piece; while they are found, a run of the same piece that is not after it

	// Of each piece, numbered in the order of first appearance:
	sums  []tally
	size  []int32 // pixels, with those of the pieces merged into it
	color []lab   // mean, likewise
	into  []int32 // the piece it was merged into, or itself
	lists []list  // of the neighbors of small pieces, with those of the pieces merged into it
	id    []int32 // the region it is part of

	tallies []tally // of each region

	links []link
	small []int32 // pieces, by size
	upTo  []int32 // [minSize+1] how many of them are smaller than a size
}

// band is what one thread found in its rows.
type band struct {
	starts   []int32
	contacts []pair  // of runs, one above the other, of different labels
	sums     []tally // of each piece
}

type pair struct{ a, b int32 }

// list is where the links of a piece begin and end, -1 for none.
type list struct{ head, tail int32 }

// link is a neighbor of a piece.
type link struct{ to, next int32 }

// find makes the pieces of the labels.
func (p *pieces) find(s *slic) {
	p.slic = s
	p.rows, p.bands = grown(p.rows, p.h+1), grown(p.bands, p.threads)
	parallel(p.threads, p.h, func(thread, y0, y1 int) {
		b := &p.bands[thread]
		b.starts, b.contacts = b.starts[:0], b.contacts[:0]
		for y := y0; y < y1; y++ {
			p.rows[y] = int32(len(b.starts))
			b.starts = append(slices.Grow(b.starts, p.w+pad), 0)
			n := p.kernel.edges(p.labels[y*p.stride:][:p.stride], p.w, b.starts[len(b.starts):cap(b.starts)])
			b.starts = b.starts[:len(b.starts)+n]
		}
	})
	n := 0
	for i := range p.bands {
		n += len(p.bands[i].starts)
	}
	p.rows[p.h] = int32(n)
	p.starts, p.of = grown(p.starts, n), grown(p.of, n)
	first := make([]int, p.threads)
	for i := range p.bands[1:] {
		first[i+1] = first[i] + len(p.bands[i].starts)
	}
	parallel(p.threads, p.h, func(thread, y0, y1 int) {
		b, from := &p.bands[thread], first[thread]
		copy(p.starts[from:], b.starts)
		for i := range b.starts {
			p.of[from+i] = int32(from + i)
		}
		for y := y0; y < y1; y++ {
			p.rows[y] += int32(from)
		}
	})
	parallel(p.threads, p.h, func(thread, y0, y1 int) {
		for y := y0 + 1; y < y1; y++ {
			p.join(y, &p.bands[thread])
		}
	})
	for t := range p.threads - 1 {
		p.join((t+1)*p.h/p.threads, &p.bands[t])
	}
	pieces := int32(0)
	for r := range p.of {
		if o := p.of[r]; int(o) != r {
			p.of[r] = p.of[o] // o is before r and knows its piece
		} else {
			p.of[r] = pieces
			pieces++
		}
	}
	parallel(p.threads, p.h, func(thread, y0, y1 int) {
		b := &p.bands[thread]
		b.sums = grown(b.sums, int(pieces))
		clear(b.sums)
		for y := y0; y < y1; y++ {
			last := p.rows[y+1]
			for r := p.rows[y]; r < last; r++ {
				b.sums[p.of[r]].add(p.field, y, int(p.starts[r]), int(p.end(r, last)))
			}
		}
	})
	p.sums = p.bands[0].sums
	for _, b := range p.bands[1:] {
		for i := range p.sums {
			p.sums[i].merge(&b.sums[i])
		}
	}
}

// end is the column after a run, given the first run of the next row.
func (p *pieces) end(r, last int32) int32 {
	if r+1 < last {
		return p.starts[r+1]
	}
	return int32(p.w)
}

// join makes one piece of the runs of row y and those of the row above that touch them and have their label.
func (p *pieces) join(y int, b *band) {
	row, above := p.labels[y*p.stride:][:p.w], p.labels[(y-1)*p.stride:][:p.w]
	first, last := p.rows[y], p.rows[y+1]
	r, q := first, p.rows[y-1]
	for r < last && q < first {
		if row[p.starts[r]] == above[p.starts[q]] {
			a, b := p.first(r), p.first(q)
			p.of[max(a, b)] = min(a, b)
		} else {
			b.contacts = append(b.contacts, pair{r, q})
		}
		re, qe := p.end(r, last), p.end(q, first)
		if re <= qe {
			r++
		}
		if qe <= re {
			q++
		}
	}
}

// first is the first run that is known to be of the same piece.
func (p *pieces) first(r int32) int32 {
	for p.of[r] != r {
		p.of[r] = p.of[p.of[r]]
		r = p.of[r]
	}
	return r
}

// merge puts each piece smaller than minSize, smallest first, into the neighbor nearest in mean color.
func (p *pieces) merge(minSize int) {
	n := len(p.sums)
	p.size, p.color, p.into, p.lists = grown(p.size, n), grown(p.color, n), grown(p.into, n), grown(p.lists, n)
	p.links, p.upTo = p.links[:0], grown(p.upTo, minSize+1)
	clear(p.upTo)
	least := int32(minSize)
	for i := range p.sums {
		s := &p.sums[i]
		p.size[i], p.color[i], p.into[i], p.lists[i] = int32(s.n), s.color(), int32(i), list{-1, -1}
		if p.size[i] < least {
			p.upTo[p.size[i]+1]++
		}
	}
	for size := range minSize {
		p.upTo[size+1] += p.upTo[size]
	}
	p.small = grown(p.small, int(p.upTo[minSize]))
	for i, size := range p.size {
		if size < least {
			p.small[p.upTo[size]] = int32(i)
			p.upTo[size]++
		}
	}
	touch := func(a, b int32) {
		if p.size[a] < least {
			p.link(a, b)
		}
		if p.size[b] < least {
			p.link(b, a)
		}
	}
	for y := range p.h {
		for r := p.rows[y] + 1; r < p.rows[y+1]; r++ {
			touch(p.of[r-1], p.of[r])
		}
	}
	for i := range p.bands {
		for _, c := range p.bands[i].contacts {
			touch(p.of[c.a], p.of[c.b])
		}
	}
	for _, id := range p.small {
		if p.size[id] >= least { // smaller pieces were merged into it
			continue
		}
		if to := p.nearest(id); to >= 0 {
			p.absorb(id, to)
		}
	}
}

func (p *pieces) link(from, to int32) {
	l := &p.lists[from]
	i := int32(len(p.links))
	switch {
	case l.tail < 0:
		l.head = i
	case p.links[l.tail].to == to:
		return
	default:
		p.links[l.tail].next = i
	}
	l.tail = i
	p.links = append(p.links, link{to, -1})
}

// root is the piece that a piece was merged into.
func (p *pieces) root(i int32) int32 {
	for p.into[i] != i {
		p.into[i] = p.into[p.into[i]]
		i = p.into[i]
	}
	return i
}

// nearest is the neighbor of a root piece with the nearest mean color, -1 where it fills the image.
func (p *pieces) nearest(id int32) int32 {
	best, bestDistance := int32(-1), int32(0)
	own := p.color[id]
	for i := p.lists[id].head; i >= 0; i = p.links[i].next {
		other := p.root(p.links[i].to)
		if other == id || other == best {
			continue
		}
		d := own.distance(p.color[other])
		if best < 0 || d < bestDistance || d == bestDistance && other < best {
			best, bestDistance = other, d
		}
	}
	return best
}

func (p *pieces) absorb(id, to int32) {
	s := &p.sums[to]
	s.merge(&p.sums[id])
	p.into[id], p.size[to], p.color[to] = to, int32(s.n), s.color()
	from, l := p.lists[id], &p.lists[to]
	switch {
	case from.head < 0:
		return
	case l.tail < 0:
		l.head = from.head
	default:
		p.links[l.tail].next = from.head
	}
	l.tail = from.tail
}

// number writes the regions that are left, numbered in the order of first appearance, and returns their tallies, which are
// good until the next call.
//
// labels: [h*w].
func (p *pieces) number(labels []uint16) []tally {
	n := int32(0)
	p.id, p.tallies = grown(p.id, len(p.into)), p.tallies[:0]
	for i := range p.id {
		p.id[i] = -1
	}
	for i := range p.id {
		root := p.root(int32(i))
		if p.id[root] < 0 {
			p.id[root] = n
			n++
			p.tallies = append(p.tallies, p.sums[root])
		}
		p.id[i] = p.id[root]
	}
	parallel(p.threads, p.h, func(_, y0, y1 int) {
		for y := y0; y < y1; y++ {
			last := p.rows[y+1]
			for r := p.rows[y]; r < last; r++ {
				from, to, id := y*p.w+int(p.starts[r]), y*p.w+int(p.end(r, last)), uint16(p.id[p.of[r]])
				if to+fillOver <= y1*p.w {
					fill(&labels[from], to-from, id)
					continue
				}
				for i := from; i < to; i++ { // what is behind may be another thread's
					labels[i] = id
				}
			}
		}
	})
	return p.tallies
}
