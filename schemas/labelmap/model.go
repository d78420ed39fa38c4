package labelmap

// The context model that encoder and decoder share: what the pixels around say about the next one.

// model is an adaptive probability, in 1/2^15, that a bit is 1: the mean of a fast and a slow average.
type model struct{ fast, slow uint16 }

const (
	probBits = 15
	fastRate = 4
	slowRate = 7
)

func (m *model) p() uint32 { return (uint32(m.fast) + uint32(m.slow)) >> 1 }

func (m *model) update(bit bool) {
	if bit {
		m.fast += (1<<probBits - m.fast) >> fastRate
		m.slow += (1<<probBits - m.slow) >> slowRate
	} else {
		m.fast -= m.fast >> fastRate
		m.slow -= m.slow >> slowRate
	}
}

type models struct {
	same  [4][1 << 10]model // by candidate and context: the pixel has this candidate's id
	fresh model             // an id that no candidate has is new
}

func newModels() *models {
	even := model{1 << (probBits - 1), 1 << (probBits - 1)}
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

// candidates are the ids of L, U, UR and UL, each outside when it repeats an earlier one.
func (w *window) candidates(x int) [4]int32 {
	l, u, ur, ul := w.row[x+1], w.up[x+2], w.up[x+3], w.up[x+1]
	if u == l {
		u = outside
	}
	if ur == l || ur == u {
		ur = outside
	}
	if ul == l || ul == u || ul == ur {
		ul = outside
	}
	return [4]int32{l, u, ur, ul}
}

func (w *window) set(x int, id int32) { w.row[x+pad] = id }

// next ends a row. The new current row keeps what it held: nothing right of the current pixel is looked at.
func (w *window) next() { w.row, w.up, w.upup = w.upup, w.row, w.up }
