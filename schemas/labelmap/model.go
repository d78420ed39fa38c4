package labelmap

// model is an adaptive probability that a bit is 1: the share of ones so far, soon forgetting the oldest.
type model struct {
	p uint16 // in 1/2^probBits, never 0 or 1
	n uint16 // bits seen, up to memory
}

const (
	probBits = 15
	memory   = 62
)

// update counts a bit: p moves by 1/(n+2) of its way to 1 or 0, rounded down.
func (m *model) update(bit bool) {
	inverse := uint64(inverses[m.n%(memory+2)])
	if bit {
		m.p += uint16((1<<probBits - uint64(m.p)) * inverse >> inverseBits)
	} else {
		m.p -= uint16(uint64(m.p) * inverse >> inverseBits)
	}
	if m.n < memory {
		m.n++
	}
}

// inverses are 1/(n+2) in 1/2^inverseBits, rounded up by less than what would change a quotient of a 15-bit number.
var inverses = func() (t [memory + 2]uint32) {
	for n := range t {
		t[n] = uint32((1<<inverseBits + n + 1) / (n + 2))
	}
	return t
}()

const inverseBits = 21

// newModels are n models of even chances.
func newModels(n int) []model {
	m := make([]model, n)
	for i := range m {
		m[i].p = 1 << (probBits - 1)
	}
	return m
}
