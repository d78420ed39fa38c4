package labelmap

// Reading of "labelmap/1", which samples carried before. Its header is 'G' 'L' 'M' 1, then width, height and flags as unsigned
// LEB128 varints; bit 0 of flags (ordered) says that ids are 0, 1, 2, … in the order of their first appearance, other bits are
// zero. The rest is a stream of the range coder that the package documentation describes.
//
// Pixels are coded in row-major order as a short series of decisions. L, LL are the pixels one and two to the left; U, UL,
// ULL, UR, URR those of the row above at x, x-1, x-2, x+1, x+2; UU, UUL, UUR those two rows above at x, x-1, x+1. A pixel
// outside of the image has an id that equals no region but itself. The context is the ten-bit number of
//
//	bit 0 L=UL   1 UL=U   2 U=UR   3 L=U   4 UR=URR   5 U=UU   6 UL=UUL   7 L=LL   8 UL=ULL   9 UR=UUR
//
// There are four candidates: L; U; in the row above from x+1 to x+64, the first id that is neither L nor U; after it, the
// first that is none of these three. A candidate that is outside of the image, or U where it equals L, is passed over. For
// each other, one bit says whether it is the pixel's id (1: yes, and the pixel is done); its model is model[slot][context],
// where slot counts the four from 0. When none is, one more bit, with the model fresh, says whether the id is new (1). A new
// id is the number of ids seen so far if ordered, else 16 plain bits. An old id is given by its rank in the order of first
// appearance, in as many plain bits as the number of ids seen so far, less one, has. Plain bits come most significant first.

import (
	"errors"
	"fmt"
	"math/bits"
)

const (
	magic1         = "GLM\x01"
	ordered1       = 1       // of the flags
	outside        = -1      // the id of pixels outside of the image
	maxPerByte1    = 1 << 13 // pixels: more than the range coder packs into a byte, at 1/360 bit each
	sameModels1    = 1 << 10 // of each slot
	freshModel1    = slots * sameModels1
	questionCount1 = freshModel1 + 1
)

func decode1(b []byte) (*Map, error) {
	if len(b) < len(magic1) || string(b[:len(magic1)]) != magic1 {
		return nil, errors.New("not a label map of a version that is known")
	}
	fields, payload, err := header(b[len(magic1):])
	if err != nil {
		return nil, err
	}
	w, h, flags := fields[0], fields[1], fields[2]
	if flags > ordered1 {
		return nil, fmt.Errorf("label map of version 1 with flags %#x", flags)
	}
	if w*h > len(payload)*maxPerByte1 {
		return nil, errTruncated
	}
	m := &Map{W: w, H: h, Labels: make([]uint16, w*h)}
	dec := newReader(payload[1:])
	dec.use(freshModels(questionCount1))
	win := newWindow(w)
	var ids []uint16 // by rank
	for y := range h {
		for x := range w {
			ctx := win.context(x)
			id := int32(outside)
			for slot := range slots {
				c := win.candidate(slot, x)
				if c != outside && dec.read(slot*sameModels1+ctx) {
					id = c
					break
				}
			}
			if id == outside {
				seen := len(ids)
				if dec.read(freshModel1) {
					if seen > 0xFFFF {
						return nil, fmt.Errorf("label map has more than %d ids", 1<<16)
					}
					id = int32(seen)
					name := uint16(seen)
					if flags&ordered1 == 0 {
						name = uint16(dec.readPlain(16))
					}
					ids = append(ids, name)
				} else if id = int32(dec.readPlain(bits.Len(uint(max(seen-1, 0))))); int(id) >= seen {
					return nil, fmt.Errorf("label map refers to region %d of %d at pixel %d,%d", id, seen, x, y)
				}
			}
			win.set(x, id)
			m.Labels[y*w+x] = ids[id]
		}
		win.next()
		if dec.overrun() {
			return nil, errTruncated
		}
	}
	return m, nil
}

// pad is how many columns outside of the image the context looks at, on each side.
const pad = 2

// window holds the ranks of the current row and of the two above, padded with outside.
type window struct{ row, up, upup []int32 }

func newWindow(w int) *window {
	rows := make([]int32, 3*(w+2*pad))
	for i := range rows {
		rows[i] = outside
	}
	n := w + 2*pad
	return &window{rows[:n:n], rows[n : 2*n : 2*n], rows[2*n:]}
}

// context is the ten-bit number.
func (w *window) context(x int) int {
	row, up, upup := w.row[x:x+2], w.up[x:x+5], w.upup[x+1:x+4]
	c := 0
	set := func(bit int, equal bool) {
		if equal {
			c |= 1 << bit
		}
	}
	set(0, row[1] == up[1])
	set(1, up[1] == up[2])
	set(2, up[2] == up[3])
	set(3, row[1] == up[2])
	set(4, up[3] == up[4])
	set(5, up[2] == upup[1])
	set(6, up[1] == upup[0])
	set(7, row[1] == row[0])
	set(8, up[1] == up[0])
	set(9, up[3] == upup[2])
	return c
}

// slots is how many candidates a pixel has at most; reach1 is how far to the right the last two are looked for, bounded so
// that a hostile map costs little more time than an honest one.
const (
	slots  = 4
	reach1 = 64
)

// candidate is the id that a slot stands for at column x, outside when there is none or it repeats an earlier one.
func (w *window) candidate(slot, x int) int32 {
	l, u := w.row[x+1], w.up[x+2]
	switch slot {
	case 0:
		return l
	case 1:
		if u == l {
			return outside
		}
		return u
	}
	right := w.up[x+3 : min(x+3+reach1, len(w.up))]
	first := other(right, l, u, u)
	if slot == 2 {
		return first
	}
	return other(right, l, u, first)
}

// other is the first id of a row that is none of three, outside when the row ends before.
func other(row []int32, a, b, c int32) int32 {
	for _, id := range row {
		if id != a && id != b && id != c {
			return id
		}
	}
	return outside
}

func (w *window) set(x int, id int32) { w.row[x+pad] = id }

// next ends a row. The new current row keeps what it held: nothing right of the current pixel is looked at.
func (w *window) next() { w.row, w.up, w.upup = w.upup, w.row, w.up }
