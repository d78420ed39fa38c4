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
	w, h   int
	labels []uint16 // [h*w] when writing

	row, up     []uint16 // of labels, and the row above it, when writing
	runs        []run    // of all rows so far
	pieces      []piece
	contacts    []contact
	above, here []stretch // the runs of the row above, and of this row so far
	first       int32     // where above begins among all runs
	piece, born int32     // of the run that is being made; none, and the row, when it has touched none above
	quarters    []uint8   // how old a run is, by rows
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
		runs: walk.runs[:0], pieces: walk.pieces[:0], contacts: walk.contacts[:0], above: walk.above[:0], here: walk.here[:0],
	}
	return walk
}

// free gives back the memory of a walk that nothing of is in use.
func (c *contours) free() {
	*c = contours{runs: c.runs, pieces: c.pieces, contacts: c.contacts, above: c.above, here: c.here}
	walks.Put(c)
}

// walk goes over all rows.
func (c *contours) walk() error {
	models := trained
	c.use(models[:])
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
	if c.writing {
		c.up, c.row = c.row, c.labels[y*c.w:(y+1)*c.w]
	}
	c.piece, c.born = none, int32(y)
	c.above, c.here = c.here, c.above[:0]
	c.first = int32(len(c.runs) - len(c.above))
	if y == 0 {
		c.top()
	} else if err := c.follow(y); err != nil {
		return err
	}
	c.close(y, c.w, border)
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
func (c *contours) top() {
	for x, start := 1, 0; x < c.w && !c.overrun(); x++ {
		if c.bit(askTop+span(x-start), c.upright(x)) {
			c.close(0, x, 0)
			start = x
		}
	}
}

// follow walks along a row, from corner to corner of the pixels between it and the row above.
func (c *contours) follow(y int) error {
	i := 0 // the run above the last pixel; at is where it ends, and after where the next one does
	at, after := c.crack(y, 0), c.crack(y, 1)
	level := c.bit(askSide+min(at.x, 3)-1, c.level(0))
	c.pass(i, level)
	from, start := 0, 0 // how and where the level cracks began
	for x := 1; x < c.w && !c.overrun(); x++ {
		if x < at.x && !level { // no crack comes: the next corner of a contour, if it is before that above
			p := c.find(x, at.x)
			if !c.bit(askCorner+8*at.lean+2*(at.age>>1)+min(at.x-x, 2)-1, p < at.x) {
				x = at.x - 1
				continue
			}
			d, err := c.distance(at.x-p, at.x-x, at.lean)
			if err != nil {
				return err
			}
			x = at.x - d
			c.bend(y, x, leaning(at.lean, -d))
			level, from, start = true, corner, x
			continue
		}
		length := min(x-start, 4) - 1
		if x < at.x { // one comes from the left
			fresh := int(number(c.piece == none))
			if !c.bit(askDown+72*near(from)+18*length+6*min(at.x-x, 3)-6+3*fresh+sign(at.lean), c.upright(x)) {
				continue
			}
			level = c.bit(askOnward+3*span(at.x-x)+sign(at.lean), c.level(x))
			c.bend(y, x, leaning(from, x-start))
			from = 0
		} else { // one comes from above
			down, right, came := c.upright(x), c.level(x), level
			if came { // and one from the left
				age := oldest
				if c.piece != none {
					age = c.age(y, c.born)
				}
				level = false
				if c.bit(askLeave+96*age+12*after.age+4*sign(at.lean)+length, down || right) {
					down = c.bit(askCross+age>>1, down)
					level = !down || c.bit(askBoth+after.age>>1, right)
				}
			} else {
				level = c.bit(askTurn+96*near(at.lean)+32*(at.lean>>leanBits)+8*(at.age>>1)+2*(after.age>>1)+min(after.x-x, 2)-1, right)
				down = !level || c.bit(askFork+12*sign(at.lean)+3*(after.age>>1)+min(after.x-x, 3)-1, down)
			}
			switch {
			case !down:
			case came || level:
				c.bend(y, x, leaning(at.lean, 0))
			default:
				c.close(y, x, leaning(at.lean, 0))
			}
			from = at.lean
			i++
			at, after = after, c.crack(y, i+1)
		}
		start = x
		c.pass(i, level)
	}
	return nil
}

// crack is the end of a run above: its column, its lean, and how old the run is.
type crack struct{ x, lean, age int }

// crack is the end of run i above; beyond the last run, the border of the image.
func (c *contours) crack(y, i int) crack {
	if i >= len(c.above) {
		return crack{c.w, border, 0}
	}
	s := &c.above[i]
	return crack{int(s.end), int(s.lean), c.age(y, s.born)}
}

func (c *contours) age(y int, born int32) int {
	return int(c.quarters[min(y-int(born), len(c.quarters)-1)])
}

// distance writes or reads how far before a crack above, 1 to most columns, a contour has its corner.
func (c *contours) distance(d, most, lean int) (int, error) {
	n := 1
	for n < min(most, reach) && c.bit(askFarther+72*(n-1)+8*span(most)+near(lean), d > n) {
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

// upright says, when writing, that there is a crack on the left of pixel x.
func (c *contours) upright(x int) bool { return c.row != nil && c.row[x] != c.row[x-1] }

// level says, when writing, that there is a crack above pixel x.
func (c *contours) level(x int) bool { return c.row != nil && c.row[x] != c.up[x] }

// find is, when writing, the first upright crack from x to before e, else e.
func (c *contours) find(x, e int) int {
	if c.row == nil {
		return e
	}
	for ; x < e && c.row[x] == c.row[x-1]; x++ {
	}
	return x
}

// close ends a run at an upright crack, or at the border.
func (c *contours) close(y, x, lean int) {
	if c.piece == none {
		start := 0
		if n := len(c.here); n > 0 {
			start = int(c.here[n-1].end)
		}
		c.piece = int32(len(c.pieces))
		c.pieces = append(c.pieces, piece{c.piece, int32(y*c.w + start)})
	}
	r := run{int32(x), c.piece}
	c.runs = append(c.runs, r)
	c.here = append(c.here, stretch{r, c.born, uint8(lean)})
	c.piece, c.born = none, int32(y)
}

// bend is close for a crack between runs that may not have touched before.
func (c *contours) bend(y, x, lean int) {
	n := int32(len(c.runs))
	c.contacts = append(c.contacts, contact{n, n + 1})
	c.close(y, x, lean)
}

// pass comes below the run i above, with a level crack or not.
func (c *contours) pass(i int, level bool) {
	if level {
		c.contacts = append(c.contacts, contact{int32(len(c.runs)), c.first + int32(i)})
	} else {
		c.touch(i)
	}
}

// touch links the run that is being made with the run i above it.
func (c *contours) touch(i int) {
	s := &c.above[i]
	c.born = min(c.born, s.born)
	p := s.piece
	if c.piece == none {
		c.piece = p
	} else if c.piece != p {
		a, b := c.root(c.piece), c.root(p)
		c.piece = min(a, b)
		c.pieces[max(a, b)].into = c.piece
	}
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
