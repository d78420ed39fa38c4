package labelmap

// model is an adaptive probability that a bit is 1: the share of ones so far, soon forgetting the oldest. The probability is
// in 1/2^probBits; below it, memoryBits say how many bits it rests on.
type model uint32

const (
	probBits   = 15
	memoryBits = 6
	memory     = 62 // bits that a probability rests on, at most
	fresh      = model(1 << (probBits - 1) << memoryBits)
)

// after is the model when a bit, 0 or 1, has been counted: the probability moves by 1/(n+2) of its way to the bit, rounded
// down, where n is what it rests on.
func (m model) after(bit uint32) model {
	n, p := m&(1<<memoryBits-1), uint32(m>>memoryBits)
	way := (p ^ -bit) + (1<<probBits+1)*bit // p after a 0, 1<<probBits - p after a 1
	step := uint32(uint64(way) * uint64(inverses[n]) >> inverseBits)
	p += (step ^ (bit - 1)) - (bit - 1)
	if n < memory {
		n++
	}
	return model(p)<<memoryBits | n
}

// inverses are 1/(n+2) in 1/2^inverseBits, rounded up by less than what would change a quotient of a 15-bit number.
var inverses = func() (t [1 << memoryBits]uint32) {
	for n := range t {
		t[n] = uint32((1<<inverseBits + n + 1) / (n + 2))
	}
	return t
}()

const inverseBits = 21

// freshModels are n models of even chances.
func freshModels(n int) []model {
	m := make([]model, n)
	for i := range m {
		m[i] = fresh
	}
	return m
}
