package labelmap

// A binary range coder after LZMA's (Martin 1979; Pavlov), with adaptive and plain bits.

// coder is either side of the range coder, so that one description of a message both writes and reads it.
type coder struct {
	writing bool
	models  []model
	rng     uint32

	asked   []ask // when writing, the bits that wait for flush
	out     []byte
	low     uint64 // 33 bits: the carry is bit 32
	held    byte   // the last byte not written yet, for a carry
	pending int    // how many bytes are held back: held, then 0xFF

	in   []byte
	at   int // beyond the end of in, unwritten zeros are read
	code uint32
}

// ask is a bit and its model.
type ask struct {
	model uint16
	bit   bool
}

const (
	renormBelow = 1 << 24
	unwritten   = 3         // bytes at the end of a stream, which are 0
	plainModel  = 1<<16 - 1 // the model of plain bits
)

// newWriter appends to out.
func newWriter(out []byte) *coder { return &coder{writing: true, rng: 0xFFFFFFFF, out: out} }

func newReader(in []byte) *coder {
	c := &coder{rng: 0xFFFFFFFF, in: in}
	for range 4 {
		c.shiftIn()
	}
	return c
}

// use goes on with other models.
func (c *coder) use(models []model) {
	c.flush()
	c.models = models
}

// bit writes b by a model, or reads what was written in its place.
func (c *coder) bit(model int, b bool) bool {
	if c.writing {
		c.asked = append(c.asked, ask{uint16(model), b})
		return b
	}
	return c.read(model)
}

// plain is bit for a number of n bits, all of even chances.
func (c *coder) plain(v, n int) int {
	if !c.writing {
		return c.readPlain(n)
	}
	for i := n - 1; i >= 0; i-- {
		c.asked = append(c.asked, ask{plainModel, v>>i&1 == 1})
	}
	return v
}

// flag is bit with an even chance.
func (c *coder) flag(b bool) bool { return c.plain(int(number(b)), 1) == 1 }

// number is 1 for true.
func number(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}

// flush writes the bits that wait. They come in one go, so that the state of the coder stays in registers.
func (c *coder) flush() {
	rng, low, models := c.rng, c.low, c.models
	for _, a := range c.asked {
		bit := number(a.bit)
		if a.model == plainModel {
			rng >>= 1
			low += uint64(rng & -bit)
		} else {
			m := models[a.model]
			bound := (rng >> probBits) * uint32(m>>memoryBits)
			models[a.model] = m.after(bit)
			rest := bit - 1 // all ones after a 0
			low += uint64(bound & rest)
			rng = bound&^rest | (rng-bound)&rest
		}
		for rng < renormBelow {
			rng <<= 8
			low = c.shiftOut(low)
		}
	}
	c.asked = c.asked[:0]
	c.rng, c.low = rng, low
}

func (c *coder) read(model int) bool {
	m := c.models[model]
	bound := (c.rng >> probBits) * uint32(m>>memoryBits)
	bit := number(c.code < bound)
	c.models[model] = m.after(bit)
	rest := bit - 1
	c.code -= bound & rest
	c.rng = bound&^rest | (c.rng-bound)&rest
	if c.rng < renormBelow {
		c.refill()
	}
	return bit == 1
}

func (c *coder) readPlain(n int) int {
	v := 0
	for range n {
		c.rng >>= 1
		v <<= 1
		if c.code >= c.rng {
			c.code -= c.rng
			v |= 1
		}
		c.refill()
	}
	return v
}

// refill widens a range that has become narrow, when reading.
func (c *coder) refill() {
	for c.rng < renormBelow {
		c.rng <<= 8
		c.shiftIn()
	}
}

func (c *coder) shiftIn() {
	c.code <<= 8
	if c.at < len(c.in) {
		c.code |= uint32(c.in[c.at])
	}
	c.at++
}

// overrun reports that more was read than was written.
func (c *coder) overrun() bool { return c.at > len(c.in)+unwritten }

// finished says, when all was read, that this is as much as was written.
func (c *coder) finished() bool { return c.at == len(c.in)+unwritten }

// shiftOut moves the top byte of low towards the output; it waits there as long as a carry could still change it.
func (c *coder) shiftOut(low uint64) uint64 {
	if low < 0xFF000000 || low > 0xFFFFFFFF || c.pending == 0 {
		carry := byte(low >> 32)
		if c.pending > 0 { // nothing is held at first, and no carry comes
			c.out = append(c.out, c.held+carry)
		}
		for range c.pending - 1 {
			c.out = append(c.out, 0xFF+carry)
		}
		c.pending = 0
		c.held = byte(low >> 24)
	}
	c.pending++
	return low << 8 & 0xFFFFFFFF
}

// finish writes what is left: as much as tells the range from its neighbors, when zeros follow.
func (c *coder) finish() []byte {
	c.flush()
	c.low = (c.low + renormBelow - 1) &^ (renormBelow - 1)
	for range 2 {
		c.low = c.shiftOut(c.low)
	}
	return c.out
}
