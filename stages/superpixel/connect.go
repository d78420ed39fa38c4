package superpixel

// Connectivity: k-means may scatter a cluster over several pieces. They are found band by band, and the small ones merged into
// others.

import "slices"

// pieces are the 4-connected pieces of a label map, and what they are merged into.
type pieces struct {
	*slic
	least int // pixels of a piece that stays
	bands []band

	nodes   []piece  // by part of a piece, in the order of first appearance
	regions []uint16 // likewise: what it belongs to

	neighbors []int32 // of the small pieces
	small     []int32 // pieces smaller than least, by size
	fetched   int32   // what fetch has read, so that the compiler does not leave it out
	upTo      []int32 // [least+1] how many of them are smaller than a size
	tallies   []tally // of each region
}

// piece is a piece, or a part of one, as merging sees it: one line of the cache.
type piece struct {
	tally          // with those of the parts merged into it
	into     int32 // the part it was merged into, or itself
	from, to int32 // where its neighbors are
	next     int32 // of the parts whose neighbors are this one's too, as they were merged into it: the next one; -1 for none
	last     int32 // the last of them, or itself
	color    lab   // mean, likewise
}

// find makes the pieces of the labels, taken without specks and teeth of a single pixel; those of least pixels are to stay.
func (p *pieces) find(s *slic, least int) {
	p.slic, p.least, p.bands = s, least, grown(p.bands, s.threads)
	parallel(p.threads, p.h, func(thread, y0, y1 int) { p.bands[thread].find(s, y0, y1, int64(least)) })
	n := 0
	for i := range p.bands {
		p.bands[i].first = int32(n)
		n += len(p.bands[i].parts)
	}
	p.nodes = grown(p.nodes, n)
	p.eachBand(func(b *band) {
		for i := range b.parts {
			q, id := &b.parts[i], b.first+int32(i)
			p.nodes[id] = piece{tally: q.tally, into: b.first + b.root(int32(i)), next: -1, last: id, color: q.color()}
		}
	})
	for i := range p.bands[1:] {
		p.stitch(&p.bands[i], &p.bands[i+1])
	}
	for i := range p.nodes {
		q := &p.nodes[i]
		q.into = p.nodes[q.into].into // which is not after it and knows its piece
	}
}

// eachBand calls fn for the bands, one a thread.
func (p *pieces) eachBand(fn func(*band)) {
	parallel(p.threads, p.threads, func(thread, _, _ int) { fn(&p.bands[thread]) })
}

// stitch makes one piece of the parts of the last row of a band and the first of the next that touch and have one label.
func (p *pieces) stitch(b, next *band) {
	r, rows := int32(0), len(b.rows)
	q, first, last := b.rows[rows-2], b.rows[rows-1], next.rows[1]
	for r < last && q < first {
		over, under := b.root(b.of[q]), next.root(next.of[r])
		if b.parts[over].label == next.parts[under].label {
			if u, v := p.root(b.first+over), p.root(next.first+under); u != v {
				p.absorb(max(u, v), min(u, v))
			}
		} else {
			b.contacts = append(b.contacts, pair{over, next.first + under - b.first})
			next.contacts = append(next.contacts, pair{b.first + over - next.first, under})
		}
		qe, re := b.end(q, first, p.w), next.end(r, last, p.w)
		if re <= qe {
			r++
		}
		if qe <= re {
			q++
		}
	}
}

// merge puts each piece of less than least pixels, smallest first, into the neighbor nearest in mean color.
func (p *pieces) merge() {
	p.sort()
	p.link()
	least := int64(p.least)
	for some := range slices.Chunk(p.small, batch) {
		p.fetched = p.fetch(some)
		for _, id := range some {
			if p.nodes[id].n >= least { // smaller pieces were merged into it
				continue
			}
			if to := p.nearest(id); to >= 0 {
				p.absorb(id, to)
			}
		}
	}
}

// batch is how many pieces are fetched at a time.
const batch = 16

// fetch reads what merging the pieces will look at, so that the processor waits for the memory of all at once: of large images,
// the caches hold little of it.
func (p *pieces) fetch(ids []int32) int32 {
	read := int32(0)
	for _, id := range ids {
		read |= p.nodes[id].from
	}
	for _, id := range ids {
		if q := &p.nodes[id]; q.from < q.to {
			read |= p.neighbors[q.from]
		}
	}
	for _, id := range ids {
		q := &p.nodes[id]
		for _, n := range p.neighbors[q.from:q.to] {
			read |= p.nodes[n].into
		}
	}
	return read
}

// sort finds the small pieces.
func (p *pieces) sort() {
	p.upTo = grown(p.upTo, p.least+1)
	clear(p.upTo)
	least := int64(p.least)
	for i := range p.nodes {
		if q := &p.nodes[i]; q.n < least && q.into == int32(i) {
			p.upTo[q.n+1]++
		}
	}
	for size := range least {
		p.upTo[size+1] += p.upTo[size]
	}
	p.small = grown(p.small, int(p.upTo[least]))
	for i := range p.nodes {
		if q := &p.nodes[i]; q.n < least && q.into == int32(i) {
			p.small[p.upTo[q.n]] = int32(i)
			p.upTo[q.n]++
		}
	}
}

// link finds the neighbors of the small pieces.
func (p *pieces) link() {
	p.eachBand(p.pick)
	n := 0
	for i := range p.bands {
		p.bands[i].at = int32(n)
		n += len(p.bands[i].links)
	}
	p.neighbors = grown(p.neighbors, n)
	p.eachBand(func(b *band) {
		at := b.at
		nodes := p.nodes[b.first:][:len(b.parts)]
		for i := range nodes {
			q := &nodes[i]
			q.from, q.to, at = at, at, at+q.to
		}
		for _, l := range b.links {
			q := &nodes[l.a]
			if q.from == q.to || p.neighbors[q.to-1] != l.b {
				p.neighbors[q.to] = l.b
				q.to++
			}
		}
	})
}

// pick takes of the contacts those of small pieces, and counts them.
func (p *pieces) pick(b *band) {
	b.links = b.links[:0]
	nodes, least := p.nodes[b.first:][:len(b.parts)], int64(p.least)
	add := func(part, to int32) {
		part = b.root(part)
		nodes[part].to++
		b.links = append(b.links, pair{part, to})
	}
	for _, c := range b.contacts {
		u, v := p.nodes[b.first+c.a].into, p.nodes[b.first+c.b].into
		if p.nodes[u].n < least && uint(c.a) < uint(len(nodes)) {
			add(c.a, v)
		}
		if p.nodes[v].n < least && uint(c.b) < uint(len(nodes)) {
			add(c.b, u)
		}
	}
}

// root is the part that a part was merged into.
func (p *pieces) root(i int32) int32 {
	for p.nodes[i].into != i {
		p.nodes[i].into = p.nodes[p.nodes[i].into].into
		i = p.nodes[i].into
	}
	return i
}

// nearest is the neighbor of a piece with the nearest mean color, -1 where it fills the image.
func (p *pieces) nearest(id int32) int32 {
	best, bestDistance := int32(-1), int32(0)
	own := p.nodes[id].color
	for part := id; part >= 0; part = p.nodes[part].next {
		for _, n := range p.neighbors[p.nodes[part].from:p.nodes[part].to] {
			other := p.root(n)
			if other == id || other == best {
				continue
			}
			d := own.distance(p.nodes[other].color)
			if best < 0 || d < bestDistance || d == bestDistance && other < best {
				best, bestDistance = other, d
			}
		}
	}
	return best
}

// absorb merges a piece into another.
func (p *pieces) absorb(id, to int32) {
	from, t := &p.nodes[id], &p.nodes[to]
	t.merge(&from.tally)
	from.into, t.color = to, t.tally.color()
	p.nodes[from.last].next = t.next
	t.next = id
	if t.last == to {
		t.last = from.last
	}
}

// number writes the regions that are left, numbered in the order of first appearance, and returns their tallies, which are
// good until the next call.
//
// labels: [h*w].
func (p *pieces) number(labels []uint16) []tally {
	p.regions, p.tallies = grown(p.regions, len(p.nodes)), p.tallies[:0]
	for i := range p.regions {
		p.regions[i] = outside
	}
	for i := range p.regions {
		root := p.root(int32(i))
		if p.regions[root] == outside {
			p.regions[root] = uint16(len(p.tallies))
			p.tallies = append(p.tallies, p.nodes[root].tally)
		}
		p.regions[i] = p.regions[root]
	}
	parallel(p.threads, p.h, func(thread, y0, y1 int) {
		b := &p.bands[thread]
		b.write(labels[y0*p.w:y1*p.w], p.regions[b.first:], p.w)
	})
	return p.tallies
}
