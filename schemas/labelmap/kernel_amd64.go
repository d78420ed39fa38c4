//go:build amd64 && goexperiment.simd

package labelmap

import "simd/archsimd"

// kernels are those that this processor runs, the fastest first.
func kernels() []kernel {
	if archsimd.X86.AVX2() {
		return []kernel{{"avx2", differ256}, scalar}
	}
	return []kernel{scalar}
}

// toLower and toUpper take one byte of each of the eight results in 128 bits, to the lower or the upper half of these.
var toLower, toUpper = [32]int8{
	0, 2, 4, 6, 8, 10, 12, 14, -1, -1, -1, -1, -1, -1, -1, -1,
	0, 2, 4, 6, 8, 10, 12, 14, -1, -1, -1, -1, -1, -1, -1, -1,
}, [32]int8{
	-1, -1, -1, -1, -1, -1, -1, -1, 0, 2, 4, 6, 8, 10, 12, 14,
	-1, -1, -1, -1, -1, -1, -1, -1, 0, 2, 4, 6, 8, 10, 12, 14,
}

func differ256(a, b []uint16, set []uint64) {
	lower, upper := archsimd.LoadInt8x32(&toLower), archsimd.LoadInt8x32(&toUpper)
	var zero archsimd.Int8x32
	n := len(a) / 64
	for i := range n {
		p, q := (*[64]uint16)(a[64*i:]), (*[64]uint16)(b[64*i:])
		var word uint64
		for x := 0; x < 64; x += 32 {
			l := archsimd.LoadUint16x16((*[16]uint16)(p[x:])).Equal(archsimd.LoadUint16x16((*[16]uint16)(q[x:])))
			r := archsimd.LoadUint16x16((*[16]uint16)(p[x+16:])).Equal(archsimd.LoadUint16x16((*[16]uint16)(q[x+16:])))
			same := l.ToInt16x16().AsUint8x32().PermuteOrZeroGrouped(lower).Or(r.ToInt16x16().AsUint8x32().PermuteOrZeroGrouped(upper))
			v := uint64(same.AsInt8x32().Equal(zero).ToBits()) // of labels 0-7, 16-23, 8-15 and 24-31
			word |= (v&0xFF0000FF | v>>8&0xFF00 | v<<8&0xFF0000) << x
		}
		set[i] = word
	}
	archsimd.ClearAVXUpperBits()
	differScalar(a[64*n:], b[64*n:], set[n:])
}
