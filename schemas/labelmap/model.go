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
	s := &steps[m&(1<<memoryBits-1)]
	p := int64(m >> memoryBits)
	way := int64(bit<<probBits) - p
	down := (int64(bit) - 1) & (1<<inverseBits - 1) // a way down is negative: rounds it up
	p += (way*s.inverse + down) >> inverseBits
	return model(p)<<memoryBits | s.next
}

// step is what comes of a bit where a probability rests on n.
type step struct {
	inverse int64 // 1/(n+2) in 1/2^inverseBits, rounded up by less than what would change a quotient of a 15-bit number
	next    model // what it rests on then, below a probability of zero
}

var steps = func() (t [1 << memoryBits]step) {
	for n := range t {
		t[n] = step{int64((1<<inverseBits + n + 1) / (n + 2)), model(min(n+1, memory))}
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
