package labelmap

import (
	"fmt"
	"math/bits"
)

// contours walks down the rows of a map, and writes or reads where regions meet. A crack is the edge between two pixels of
// different regions: an upright one between a pixel and its left neighbor, a level one between a pixel and the one above. No
// crack ends alone at a corner of pixels: what comes there from above and from the left nearly says what goes on.
type contours struct {
	*coder
	w, h   int
	labels []uint16 // [h*w] when writing

	models   []model
	row      []uint16 // of labels, and the row above it
	up       []uint16
	runs     []run // of all rows so far
	above    int   // index of the first run of the row above
	piece    int32 // of the run that is being made, none at first
	pieces   []piece
	lean     []uint8 // of the cracks in the row above, from left to right
	leanHere []uint8 // of those in this row
}

// run is a stretch of a row from one upright crack to the next.
type run struct {
	end   int32 // column, exclusive
	piece int32
}

// piece is a set of runs that hang together. Those that turn out to be parts of one component are linked to its first.
type piece struct {
	into  int32 // an earlier piece, or itself; once all rows are walked, the number of the component
	first int32 // the first pixel
}

const none = -1

// A contour shifts by columns from one row to the next: 0; 1, 2 or more to the right; 1, 2 or more to the left. Its lean is the
// classes of the last two shifts, the last one in the low bits.
const (
	shiftBits = 3
	farLeft   = 6 // the last class
	corner    = 7 // in place of a class: the level cracks began at a corner
	leans     = 1 << (2 * shiftBits)
	lastShift = 1<<shiftBits - 1
)

const reach = 8 // columns that the distance of a corner is counted one by one

// Where the models of each question begin; the package documentation says what they tell apart.
const (
	askTop     = 0
	askSide    = askTop + 1
	askCorner  = askSide + 3
	askFarther = askCorner + 5*leans
	askTurn    = askFarther + (reach-1)<<shiftBits
	askFork    = askTurn + 3*leans
	askDown    = askFork + 3
	askOnward  = askDown + 12<<shiftBits
	askLeave   = askOnward + 2*6
	askCross   = askLeave + 2*6*3
	askBoth    = askCross + 2
	questions  = askBoth + 2
)

// class is the class of a shift.
func class(shift int) int {
	if shift < 0 {
		return 3 + min(-shift, 3)
	}
	return min(shift, 3)
}

// began is 1 if level cracks began at a corner, else 0.
func began(from int) int { return (from + 1) >> shiftBits }

// leaning is the lean of a crack after a shift from one whose last shift was of a class.
func leaning(last, shift int) uint8 { return uint8(last<<shiftBits | class(shift)) }

// walk goes over all rows.
func (c *contours) walk() error {
	c.models = newModels(questions)
	c.runs = make([]run, 0, min(c.w*c.h/8, 1<<16)) // more than most photos have
	c.piece = none
	for y := range c.h {
		if c.writing {
			c.up, c.row = c.row, c.labels[y*c.w:(y+1)*c.w]
		}
		from := len(c.runs)
		if y == 0 {
			c.top()
		} else if err := c.follow(y); err != nil {
			return err
		}
		c.close(y, c.w)
		c.above = from
		c.lean, c.leanHere = c.leanHere, c.lean[:0]
		if c.overrun() {
			return errTruncated
		}
	}
	return nil
}

// top walks along the first row, above which there is nothing.
func (c *contours) top() {
	for x := 1; x < c.w && !c.overrun(); x++ {
		if c.bit(&c.models[askTop], c.upright(x)) {
			c.crack(0, x, 0)
		}
	}
}

// follow walks along a row, from corner to corner of the pixels between it and the row above.
func (c *contours) follow(y int) error {
	i := c.above // the run above the last pixel; e is where it ends
	e, lean := c.end(i)
	level := c.bit(&c.models[askSide+min(e, 3)-1], c.level(0))
	if !level {
		c.touch(i)
	}
	from, start := 0, 0 // how and where the level cracks began
	for x := 1; x < c.w && !c.overrun(); x++ {
		last := lean & lastShift
		switch {
		case !level && x < e: // no crack comes: the next corner of a contour, if it is before that above
			p := c.find(x, e)
			if !c.bit(&c.models[askCorner+leans*(min(e-x, 5)-1)+lean], p < e) {
				x = e - 1
				continue
			}
			d, err := c.distance(e-p, e-x, last)
			if err != nil {
				return err
			}
			x = e - d
			c.crack(y, x, leaning(last, -d))
			level, from, start = true, corner, x
		case !level: // one comes from above
			turn := askTurn + 3*lean
			i++
			e, lean = c.end(i)
			gap := min(e-x, 3) - 1
			level = c.bit(&c.models[turn+gap], c.level(x))
			if !level || c.bit(&c.models[askFork+gap], c.upright(x)) {
				c.crack(y, x, leaning(last, 0))
			}
			from, start = last, x
			if !level {
				c.touch(i)
			}
		case x < e: // one comes from the left
			length := min(x-start, 6) - 1
			if !c.bit(&c.models[askDown+12*from+2*length+min(e-x, 2)-1], c.upright(x)) {
				continue
			}
			level = c.bit(&c.models[askOnward+6*began(from)+length], c.level(x))
			c.crack(y, x, leaning(from, x-start))
			from, start = 0, x
			if !level {
				c.touch(i)
			}
		default: // both come
			i++
			e, lean = c.end(i)
			length, gap := min(x-start, 6)-1, min(e-x, 3)-1
			down, right := c.upright(x), c.level(x)
			level = false
			if c.bit(&c.models[askLeave+18*began(from)+3*length+gap], down || right) {
				down = c.bit(&c.models[askCross+began(from)], down)
				level = !down || c.bit(&c.models[askBoth+began(from)], right)
				if down {
					c.crack(y, x, leaning(last, 0))
				}
			}
			from, start = last, x
			if !level {
				c.touch(i)
			}
		}
	}
	return nil
}

// end is the crack at which a run above ends: its column and its lean. The border of the image leans far to the left.
func (c *contours) end(i int) (x, lean int) {
	x = int(c.runs[i].end)
	if x == c.w {
		return x, farLeft<<shiftBits | farLeft
	}
	return x, int(c.lean[i-c.above])
}

// distance writes or reads how far before a crack above, 1 to most columns, a contour has its corner.
func (c *contours) distance(d, most, last int) (int, error) {
	n := 1
	for n < min(most, reach) && c.bit(&c.models[askFarther+(n-1)<<shiftBits+last], d > n) {
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

// crack ends a run at an upright crack.
func (c *contours) crack(y, x int, lean uint8) {
	c.close(y, x)
	c.leanHere = append(c.leanHere, lean)
}

func (c *contours) close(y, x int) {
	if c.piece == none {
		start := 0
		if n := len(c.leanHere); n > 0 {
			start = int(c.runs[len(c.runs)-1].end)
		}
		c.piece = int32(len(c.pieces))
		c.pieces = append(c.pieces, piece{c.piece, int32(y*c.w + start)})
	}
	c.runs = append(c.runs, run{int32(x), c.piece})
	c.piece = none
}

// touch links the run that is being made with the run i above it.
func (c *contours) touch(i int) {
	p := c.runs[i].piece
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
