package labelmap

import "slices"

// The search for cracks. It exists twice, here in plain Go and in kernel_amd64.go with vectors; both find the same.

// kernel is one of the two.
type kernel struct {
	name string
	// differ says where two slices of as many labels differ: bit i%64 of set[i/64] is 1 for those i and 0 for all others. Set has
	// an element for each 64 labels, and for the rest.
	differ func(a, b []uint16, set []uint64)
}

// set is differ's and a zero, in the memory of an earlier one if that is enough.
func (k kernel) set(memory []uint64, a, b []uint16) []uint64 {
	n := (len(a) + 63) / 64
	memory = slices.Grow(memory, n+1)[:n+1]
	k.differ(a, b[:len(a)], memory[:n])
	memory[n] = 0
	return memory
}

var scalar = kernel{"scalar", differScalar}

func differScalar(a, b []uint16, set []uint64) {
	n := len(a) / 64
	for i := range n {
		p, q := (*[64]uint16)(a[64*i:]), (*[64]uint16)(b[64*i:])
		var word uint64
		for x := 60; x >= 0; x -= 4 {
			word = word<<4 | nonzero(four(p[x:x+4])^four(q[x:x+4]))
		}
		set[i] = word
	}
	clear(set[n:])
	for x := 64 * n; x < len(a); x++ {
		set[n] |= uint64(number(a[x] != b[x])) << (x % 64)
	}
}

// four is four labels, the first in the low bits.
func four(labels []uint16) uint64 {
	l := (*[4]uint16)(labels)
	return uint64(l[0]) | uint64(l[1])<<16 | uint64(l[2])<<32 | uint64(l[3])<<48
}

// nonzero is, in four bits, which fourths of v are not zero.
func nonzero(v uint64) uint64 {
	const low = 0x7FFF_7FFF_7FFF_7FFF
	v = ((v&low + low) | v) &^ low // their highest bits
	return v >> 15 * (1<<48 | 1<<33 | 1<<18 | 1<<3) >> 48
}
