package labelmap

// A binary range coder after LZMA's (Martin 1979; Pavlov), with adaptive and plain bits.

import "slices"

// coder is either side of the range coder, so that one description of a message both writes and reads it.
type coder struct {
	writing bool
	rng     uint32

	asked []ask // when writing, the bits that wait for flush
	out   []byte
	low   uint64 // 33 bits: the carry is bit 32

	in   []byte
	at   int // beyond the end of in, unwritten zeros are read
	end  int // of these zeros
	code uint32

	models  [maxModels]model
	shifted [mostShifts * atOnce]uint16 // of flush: bytes, and above them the carry to those before
}

// ask is a bit and its model.
type ask struct {
	model uint16
	bit   bool
}

const (
	renormBelow = 1 << 24
	unwritten   = 3         // bytes at the end of a stream, which are 0
	maxModels   = 1 << 13   // of any message
	plainModel  = 1<<16 - 1 // the model of plain bits
	atOnce      = 256       // bits that flush writes in one go
	mostShifts  = 2         // bytes that a bit moves out, at most: a bound is at least 2^9
)

// newWriter appends to out.
func newWriter(out []byte) *coder { return &coder{writing: true, rng: 0xFFFFFFFF, out: out} }

func newReader(in []byte) *coder {
	c := &coder{rng: 0xFFFFFFFF, in: in, end: len(in) + unwritten}
	for range 4 {
		c.shiftIn()
	}
	return c
}

// use goes on with other models.
func (c *coder) use(models []model) {
	c.flush()
	copy(c.models[:], models)
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

// flush writes the bits that wait.
func (c *coder) flush() {
	for asked := range slices.Chunk(c.asked, atOnce) {
		c.emit(c.shifted[:c.narrow(asked)])
	}
	c.asked = c.asked[:0]
}

// narrow narrows the range by up to atOnce bits, and returns how many bytes that moves to shifted.
func (c *coder) narrow(asked []ask) (shifted uint) {
	rng, low := c.rng, c.low
	for _, a := range asked {
		bit := number(a.bit)
		if a.model == plainModel {
			rng >>= 1
			low += uint64(rng & -bit)
		} else {
			m := &c.models[a.model%maxModels]
			bound := (rng >> probBits) * uint32(*m>>memoryBits)
			*m = m.after(bit)
			rest, next := rng-bound, low+uint64(bound)
			if a.bit {
				rest, next = bound, low
			}
			rng, low = rest, next
		}
		for rng < renormBelow {
			rng <<= 8
			c.shifted[shifted%uint(len(c.shifted))] = uint16(low >> 24)
			low = low << 8 & 0xFFFFFFFF
			shifted++
		}
	}
	c.rng, c.low = rng, low
	return shifted
}

// emit writes bytes, each with the carry to those before.
func (c *coder) emit(shifted []uint16) {
	for _, v := range shifted {
		if n := len(c.out); n > 0 { // no carry comes to the first
			last := uint16(c.out[n-1]) + v>>8
			c.out[n-1] = byte(last)
			for i := n - 2; last > 0xFF; i-- {
				last = uint16(c.out[i]) + 1
				c.out[i] = byte(last)
			}
		}
		c.out = append(c.out, byte(v))
	}
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
func (c *coder) overrun() bool { return c.at > c.end }

// finished says, when all was read, that this is as much as was written.
func (c *coder) finished() bool { return c.at == c.end }

// finish writes what is left: as much as tells the range from its neighbors, when zeros follow.
func (c *coder) finish() []byte {
	c.flush()
	c.emit([]uint16{uint16((c.low + renormBelow - 1) >> 24)})
	return c.out
}
