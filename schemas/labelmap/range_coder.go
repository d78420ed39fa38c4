package labelmap

// A binary range coder after LZMA's (Martin 1979; Pavlov), with adaptive and plain bits.

// coder is either side of the range coder, so that one description of a message both writes and reads it.
type coder struct {
	writing bool
	rng     uint32

	out     []byte
	low     uint64 // 33 bits: the carry is bit 32
	held    byte   // the last byte not written yet, for a carry
	pending int    // how many bytes are held back: held, then 0xFF

	in   []byte
	at   int // beyond the end of in, zeros are read
	code uint32
}

const renormBelow = 1 << 24

// newWriter appends to out. The first byte of the stream is always 0.
func newWriter(out []byte) *coder {
	return &coder{writing: true, rng: 0xFFFFFFFF, out: out, pending: 1}
}

func newReader(in []byte) *coder {
	c := &coder{rng: 0xFFFFFFFF, in: in}
	for range 5 {
		c.shiftIn()
	}
	return c
}

// bit writes b, or reads what was written in its place.
func (c *coder) bit(m *model, b bool) bool {
	bound := (c.rng >> probBits) * uint32(m.p)
	if !c.writing {
		b = c.code < bound
	}
	if b {
		c.rng = bound
	} else {
		c.rng -= bound
		c.low += uint64(bound)
		c.code -= bound
	}
	m.update(b)
	if c.rng < renormBelow {
		c.renorm()
	}
	return b
}

// plain is bit for a number of n bits, all of even chances.
func (c *coder) plain(v, n int) int {
	read := 0
	for i := n - 1; i >= 0; i-- {
		c.rng >>= 1
		b := v>>i&1 == 1
		if !c.writing {
			b = c.code >= c.rng
		}
		if b {
			read |= 1 << i
			c.low += uint64(c.rng)
			c.code -= c.rng
		}
		if c.rng < renormBelow {
			c.renorm()
		}
	}
	return read
}

// flag is bit with an even chance.
func (c *coder) flag(b bool) bool {
	v := 0
	if b {
		v = 1
	}
	return c.plain(v, 1) == 1
}

// renorm widens a range that has become narrow.
func (c *coder) renorm() {
	for c.rng < renormBelow {
		c.rng <<= 8
		if c.writing {
			c.shiftOut()
		} else {
			c.shiftIn()
		}
	}
}

func (c *coder) shiftIn() {
	c.code <<= 8
	if c.at < len(c.in) {
		c.code |= uint32(c.in[c.at])
	}
	c.at++
}

// overrun reports that more was read than there is.
func (c *coder) overrun() bool { return c.at > len(c.in) }

// shiftOut moves the top byte of low towards the output; it waits there as long as a carry could still change it.
func (c *coder) shiftOut() {
	if c.low < 0xFF000000 || c.low > 0xFFFFFFFF {
		carry := byte(c.low >> 32)
		c.out = append(c.out, c.held+carry)
		for range c.pending - 1 {
			c.out = append(c.out, 0xFF+carry)
		}
		c.pending = 0
		c.held = byte(c.low >> 24)
	}
	c.pending++
	c.low = c.low << 8 & 0xFFFFFFFF
}

// finish writes what is left: as many bytes as the other side reads.
func (c *coder) finish() []byte {
	for range 5 {
		c.shiftOut()
	}
	return c.out
}
