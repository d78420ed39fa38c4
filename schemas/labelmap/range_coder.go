package labelmap

// A binary range coder after LZMA's (Martin 1979; Pavlov), with adaptive and plain bits.

const renormBelow = 1 << 24

type encoder struct {
	out     []byte
	low     uint64 // 33 bits: the carry is bit 32
	rng     uint32
	held    byte // the last byte not written yet, for a carry
	pending int  // how many bytes are held back: held, then 0xFF
}

// newEncoder appends to out. The first byte of the stream is always 0.
func newEncoder(out []byte) *encoder { return &encoder{out: out, rng: 0xFFFFFFFF, pending: 1} }

func (e *encoder) bit(m *model, bit bool) {
	bound := (e.rng >> probBits) * uint32(m.p)
	if bit {
		e.rng = bound
	} else {
		e.low += uint64(bound)
		e.rng -= bound
	}
	m.update(bit)
	e.renorm()
}

func (e *encoder) plain(v uint32, n int) {
	for i := n - 1; i >= 0; i-- {
		e.rng >>= 1
		if v>>i&1 == 1 {
			e.low += uint64(e.rng)
		}
		e.renorm()
	}
}

func (e *encoder) renorm() {
	for e.rng < renormBelow {
		e.rng <<= 8
		e.shift()
	}
}

// shift moves the top byte of low towards the output; it waits there as long as a carry could still change it.
func (e *encoder) shift() {
	if e.low < 0xFF000000 || e.low > 0xFFFFFFFF {
		carry := byte(e.low >> 32)
		e.out = append(e.out, e.held+carry)
		for range e.pending - 1 {
			e.out = append(e.out, 0xFF+carry)
		}
		e.pending = 0
		e.held = byte(e.low >> 24)
	}
	e.pending++
	e.low = e.low << 8 & 0xFFFFFFFF
}

// finish writes what is left: as many bytes as the decoder reads.
func (e *encoder) finish() []byte {
	for range 5 {
		e.shift()
	}
	return e.out
}

type decoder struct {
	in        []byte
	at        int
	code, rng uint32
}

func newDecoder(in []byte) *decoder {
	d := &decoder{in: in, rng: 0xFFFFFFFF}
	for range 5 {
		d.code = d.code<<8 | d.next()
	}
	return d
}

func (d *decoder) next() uint32 {
	d.at++
	if d.at <= len(d.in) {
		return uint32(d.in[d.at-1])
	}
	return 0
}

// overrun reports that more was read than there is.
func (d *decoder) overrun() bool { return d.at > len(d.in) }

func (d *decoder) bit(m *model) bool {
	d.renorm()
	bound := (d.rng >> probBits) * uint32(m.p)
	bit := d.code < bound
	if bit {
		d.rng = bound
	} else {
		d.code -= bound
		d.rng -= bound
	}
	m.update(bit)
	return bit
}

func (d *decoder) plain(n int) uint32 {
	var v uint32
	for range n {
		d.renorm()
		d.rng >>= 1
		v <<= 1
		if d.code >= d.rng {
			d.code -= d.rng
			v |= 1
		}
	}
	return v
}

func (d *decoder) renorm() {
	for d.rng < renormBelow {
		d.rng <<= 8
		d.code = d.code<<8 | d.next()
	}
}
