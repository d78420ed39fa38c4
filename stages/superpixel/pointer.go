package superpixel

import "unsafe"

// at is the i-th element after p; run is n of them. The caller knows that they exist.
func at[T any](p *T, i int) *T {
	return (*T)(unsafe.Add(unsafe.Pointer(p), i*int(unsafe.Sizeof(*p))))
}

func run[T any](p *T, i, n int) []T { return unsafe.Slice(at(p, i), n) }

// four is four elements from p on, the first in the low bits.
func four(p *uint16) uint64 {
	r := (*[4]uint16)(unsafe.Pointer(p))
	return uint64(r[0]) | uint64(r[1])<<16 | uint64(r[2])<<32 | uint64(r[3])<<48
}

// fillOver is how many elements behind the last one fill may write.
const fillOver = 7

// fill writes n elements and up to fillOver more.
func fill(p *uint16, n int, v uint16) {
	wide := uint64(v) * 0x0001_0001_0001_0001
	for i := 0; i < n; i += 8 {
		to := (*[2]uint64)(unsafe.Pointer(at(p, i)))
		to[0], to[1] = wide, wide
	}
}
