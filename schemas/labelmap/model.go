package labelmap

// The context model that encoder and decoder share: what the pixels around say about the next one.

// model is an adaptive probability that a bit is 1: the share of ones so far, soon forgetting the oldest.
type model struct {
	p uint16 // in 1/2^probBits, never 0 or 1
	n uint16 // bits seen, up to memory
}

const (
	probBits = 15
	memory   = 62
)

func (m *model) update(bit bool) {
	if bit {
		m.p += (1<<probBits - m.p) / (m.n + 2)
	} else {
		m.p -= m.p / (m.n + 2)
	}
	if m.n < memory {
		m.n++
	}
}

type models struct {
	same  [slots][1 << 10]model // by slot and context: the pixel has this candidate's id
	fresh model                 // an id that no candidate has is new
}

func newModels() *models {
	even := model{p: 1 << (probBits - 1)}
	m := &models{fresh: even}
	for slot := range m.same {
		for ctx := range m.same[slot] {
			m.same[slot][ctx] = even
		}
	}
	return m
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

// context is the ten-bit number that the package documentation describes.
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

// slots is how many candidates a pixel has at most; reach is how far to the right the last two are looked for, bounded so
// that a hostile map costs little more time than an honest one.
const (
	slots = 4
	reach = 64
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
	right := w.up[x+3 : min(x+3+reach, len(w.up))]
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
