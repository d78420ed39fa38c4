package labelmap

import (
	"fmt"
	"math/bits"
	"sync"
)

// contours walks down the rows of a map, and writes or reads where regions meet. A crack is the edge between two pixels of
// different regions: an upright one between a pixel and its left neighbor, a level one between a pixel and the one above. No
// crack ends alone at a corner of pixels: what comes there from above and from the left nearly says what goes on.
type contours struct {
	*coder
	w, h     int
	labels   []uint16 // [h*w] when writing
	uprights []uint64 // the upright cracks, when writing: bit i says that there is one on the left of pixel i+1, in row-major order
	levels   []uint64 // the level cracks, when writing: bit i says that there is one between pixel i and the one below

	runs        []run // of all rows so far
	pieces      []piece
	contacts    []contact
	above, here []stretch // the runs of the row above, and of this row so far
	first       int32     // where above begins among all runs
	y           int32     // the row
	piece, born int32     // of the run that is being made; none, and y, when it has touched none above
	quarters    []uint8   // the age of a run, by the rows since it was born
}

// run is a stretch of a row from one upright crack to the next.
type run struct {
	end   int32 // column, exclusive
	piece int32
}

// stretch is a run with what the row below asks of it.
type stretch struct {
	run
	born int32 // row
	lean uint8 // of the crack at its end
	age  uint8 // seen from the row below
}

// piece is a set of runs that hang together. Those that turn out to be parts of one component are linked to its first.
type piece struct {
	into  int32 // an earlier piece, or itself; once all rows are walked, the number of the component
	first int32 // the first pixel
}

// contact is a pair of runs that touch, by their places among all.
type contact struct{ a, b int32 }

const none = -1

// walks keeps the memory of contours for the next map.
var walks = sync.Pool{New: func() any { return new(contours) }}

// newContours is ready to walk over a map of w x h pixels; labels are [h*w] when writing. The caller may free it.
func newContours(c *coder, w, h int, labels []uint16) *contours {
	walk := walks.Get().(*contours)
	*walk = contours{
		coder: c, w: w, h: h, labels: labels,
		uprights: walk.uprights[:0], levels: walk.levels[:0],
		runs: walk.runs[:0], pieces: walk.pieces[:0], contacts: walk.contacts[:0], above: walk.above[:0], here: walk.here[:0],
	}
	if c.writing {
		k := kernels()[0]
		walk.uprights = k.set(walk.uprights, labels[1:], labels)
		walk.levels = k.set(walk.levels, labels[w:], labels)
	}
	return walk
}

// free gives back the memory of a walk that nothing of is in use.
func (c *contours) free() {
	*c = contours{
		uprights: c.uprights, levels: c.levels,
		runs: c.runs, pieces: c.pieces, contacts: c.contacts, above: c.above, here: c.here,
	}
	walks.Put(c)
}

// walk goes over all rows.
func (c *contours) walk() error {
	c.use(trained[:])
	for y := range c.h {
		if err := c.next(y); err != nil {
			return err
		}
		c.flush()
	}
	return nil
}

// next goes over row y.
func (c *contours) next(y int) error {
	c.y, c.piece, c.born = int32(y), none, int32(y)
	c.above, c.here = c.here, c.above[:0]
	c.first = int32(len(c.runs) - len(c.above))
	walk := c.follow
	if y == 0 {
		walk = c.top
	}
	if err := walk(); err != nil {
		return err
	}
	c.close(c.w, border)
	if y == 0 {
		c.quarters = quarters(c.w / len(c.here))
	}
	if c.overrun() {
		return errTruncated
	}
	return nil
}

// quarters are, by the rows that a run is old, how many quarters of the usual width that is: 0 to oldest.
func quarters(width int) []uint8 {
	width = min(width, 256)
	t := make([]uint8, 2*width+1)
	for age := range t {
		t[age] = uint8(min(4*age/width, oldest))
	}
	return t
}

// top walks along the first row, above which there is nothing.
func (c *contours) top() error {
	for x, start := 1, 0; x < c.w; x++ {
		if c.overrun() {
			return errTruncated
		}
		if c.bit(askTop+span(x-start), c.upright(x)) {
			c.close(x, 0)
			start = x
		}
	}
	return nil
}

// follow walks along another row, from corner to corner of the pixels between it and the row above.
func (c *contours) follow() error {
	above := c.above
	for i := range above {
		above[i].age = c.age(above[i].born)
	}
	row := int(c.y) * c.w // its first pixel
	level := c.bit(askSide+min(int(above[0].end), 3)-1, c.level(row))
	c.pass(0, level)
	x, from, start := 1, 0, 0 // the corner, how the level cracks began, and where
	for i := range above {
		at := &above[i]
		e, lean := int(at.end), int(at.lean)
		for x < e {
			if !level { // no crack comes: the next corner of a contour, if it is before that above
				p := c.find(row+x, row+e) - row
				if !c.bit(askCorner+8*lean+2*int(at.age>>1)+min(e-x, 2)-1, p < e) {
					x = e
					break
				}
				d, err := c.distance(e-p, e-x, lean)
				if err != nil {
					return err
				}
				x = e - d
				c.bend(x, leaning(lean, -d))
				level, from, start = true, corner, x
				x++
				continue
			}
			// one comes from the left
			model := askDown + 72*near(from) + 3*int(number(c.piece == none)) + sign(lean) - 24
			for x < e && !c.bit(model+18*min(x-start, 4)+6*min(e-x, 3), c.upright(row+x)) {
				x++
			}
			if x < e {
				level = c.bit(askOnward+3*span(e-x)+sign(lean), c.level(row+x))
				c.bend(x, leaning(from, x-start))
				c.pass(i, level)
				from, start = 0, x
				x++
			}
		}
		if x == c.w {
			break
		}
		// one comes from above
		after, down, came := &above[i+1], false, level
		if came { // and one from the left
			age := oldest
			if c.piece != none {
				age = int(c.age(c.born))
			}
			level = false
			upright, right := c.upright(row+x), c.level(row+x)
			if c.bit(askLeave+96*age+12*int(after.age)+4*sign(lean)+min(x-start, 4)-1, upright || right) {
				down = c.bit(askCross+age>>1, upright)
				level = !down || c.bit(askBoth+int(after.age>>1), right)
			}
		} else {
			next := int(after.end) - x
			level = c.bit(askTurn+96*near(lean)+32*(lean>>leanBits)+8*int(at.age>>1)+2*int(after.age>>1)+min(next, 2)-1, c.level(row+x))
			down = !level || c.bit(askFork+12*sign(lean)+3*int(after.age>>1)+min(next, 3)-1, c.upright(row+x))
		}
		switch {
		case !down:
		case came || level:
			c.bend(x, leaning(lean, 0))
		default:
			c.close(x, leaning(lean, 0))
		}
		from, start = lean, x
		c.pass(i+1, level)
		x++
	}
	return nil
}

// age is that of a run that was born in another row, seen from this one.
func (c *contours) age(born int32) uint8 {
	return c.quarters[min(int(c.y-born), len(c.quarters)-1)]
}

// distance writes or reads how far before a crack above, 1 to most columns, a contour has its corner.
func (c *contours) distance(d, most, lean int) (int, error) {
	if c.overrun() {
		return 0, errTruncated
	}
	n, model := 1, askFarther+8*span(most)+near(lean)
	for n < min(most, reach) && c.bit(model+72*(n-1), d > n) {
		n++
	}
	if n == reach {
		n += c.plain(d-n, bits.Len(uint(most-n)))
	}
	if n > most {
		return 0, fmt.Errorf("label map has a contour that is %d columns before another, of %d", n, most)
	}
	return n, nil
}

// upright says, when writing, that there is a crack on the left of pixel i, which is not the first.
func (c *contours) upright(i int) bool { return has(c.uprights, uint(i-1)) }

// level says, when writing, that there is a crack above pixel i, which is not of the first row.
func (c *contours) level(i int) bool { return has(c.levels, uint(i-c.w)) }

// has says that bit i is set, if there is one.
func has(set []uint64, i uint) bool { return i/64 < uint(len(set)) && set[i/64]&(1<<(i%64)) != 0 }

// find is, when writing, the first pixel from i to before e that has an upright crack on its left, else e.
func (c *contours) find(i, e int) int {
	for at := uint(i - 1); at < uint(e-1) && at/64+1 < uint(len(c.uprights)); at += 64 {
		if next := c.uprights[at/64]>>(at%64) | c.uprights[at/64+1]<<1<<(63-at%64); next != 0 {
			return min(int(at)+bits.TrailingZeros64(next)+1, e)
		}
	}
	return e
}

// close ends a run at an upright crack, or at the border.
func (c *contours) close(x, lean int) {
	if c.piece == none {
		c.begin()
	}
	r := run{int32(x), c.piece}
	c.runs = append(c.runs, r)
	c.here = append(c.here, stretch{run: r, born: c.born, lean: uint8(lean)})
	c.piece, c.born = none, c.y
}

// begin makes a piece of the run that is being made.
func (c *contours) begin() {
	start := 0
	if n := len(c.here); n > 0 {
		start = int(c.here[n-1].end)
	}
	c.piece = int32(len(c.pieces))
	c.pieces = append(c.pieces, piece{c.piece, int32(int(c.y)*c.w + start)})
}

// bend is close for a crack between runs that may not have touched before.
func (c *contours) bend(x, lean int) {
	n := int32(len(c.runs))
	c.contacts = append(c.contacts, contact{n, n + 1})
	c.close(x, lean)
}

// pass comes below the run i above, with a level crack or not.
func (c *contours) pass(i int, level bool) {
	if level {
		c.contacts = append(c.contacts, contact{int32(len(c.runs)), c.first + int32(i)})
		return
	}
	s := &c.above[i]
	c.born = min(c.born, s.born)
	if c.piece == none {
		c.piece = s.piece
	} else if c.piece != s.piece {
		c.link(s.piece)
	}
}

// link says that the run that is being made hangs together with a piece.
func (c *contours) link(p int32) {
	a, b := c.root(c.piece), c.root(p)
	c.piece = min(a, b)
	c.pieces[max(a, b)].into = c.piece
}

func (c *contours) root(p int32) int32 {
	for c.pieces[p].into != p {
		c.pieces[p].into = c.pieces[c.pieces[p].into].into
		p = c.pieces[p].into
	}
	return p
}

// components numbers the components in the order of their first pixels, which it returns.
func (c *contours) components() (starts []int32) {
	for i := range c.pieces {
		p := &c.pieces[i]
		if p.into == int32(i) {
			p.into = int32(len(starts))
			starts = append(starts, p.first)
		} else {
			p.into = c.pieces[p.into].into
		}
	}
	return starts
}

// spread is what components have, of each of their pieces.
func (c *contours) spread(components []uint16) []uint16 {
	out := make([]uint16, len(c.pieces))
	for i, p := range c.pieces {
		out[i] = components[p.into]
	}
	return out
}

// paint fills a label map, [h*w] row-major, by the id of each piece.
func (c *contours) paint(ids []uint16) []uint16 {
	const block = 8 // pixels that are written at once; what is too much is painted over by the next run
	n := c.w * c.h
	labels := make([]uint16, n+block)
	row, x := 0, 0
	for _, r := range c.runs {
		id := uint64(ids[r.piece]) * 0x0001_0001_0001_0001
		for end := int(r.end); x < end; x += block {
			to := (*[block]uint16)(labels[row+x:])
			to[0], to[1], to[2], to[3] = uint16(id), uint16(id>>16), uint16(id>>32), uint16(id>>48)
			to[4], to[5], to[6], to[7] = uint16(id), uint16(id>>16), uint16(id>>32), uint16(id>>48)
		}
		if x = int(r.end); x == c.w {
			row, x = row+c.w, 0
		}
	}
	return labels[:n:n]
}
