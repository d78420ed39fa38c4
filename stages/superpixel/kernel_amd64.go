//go:build amd64 && goexperiment.simd

package superpixel

import (
	"math/bits"
	"simd/archsimd"
	"unsafe"
)

// kernels are those that this processor runs, the fastest first.
func kernels() []kernel {
	var ks []kernel
	if archsimd.X86.AVX512() {
		ks = append(ks, kernel{"avx512", assign512, edges512, calm512, borders512, smooth512, lab512})
	}
	if archsimd.X86.AVX2() {
		ks = append(ks, kernel{"avx2", assign256, edges256, calm256, borders256, smooth256, lab256})
	}
	return append(ks, scalar)
}

// Vectors are loaded through pointers: through slices they cost a bounds check each, half of the time. Pointers stay at the
// window's first pixel and offsets move, since a pointer behind its memory is not allowed.

func assign512(v *window) {
	cl, ca, cb := archsimd.BroadcastInt16x32(v.cl), archsimd.BroadcastInt16x32(v.ca), archsimd.BroadcastInt16x32(v.cb)
	label := archsimd.BroadcastInt16x32(int16(v.label))
	l, a, b, dist, labels, spatial := v.l, v.a, v.b, v.dist, v.labels, v.spatial
	wide := (v.cols + 15) / 32 * 32
	for y := range v.rows {
		i, j := y*v.stride, y*v.spread
		for end := i + wide; i < end; i, j = i+32, j+32 {
			d := load512(l, i).Sub(cl).Abs().Add(load512(a, i).Sub(ca).Abs()).Add(load512(b, i).Sub(cb).Abs())
			d = d.AddSaturated(load512(spatial, j))
			old := load512(dist, i)
			d.Min(old).Store(block512(dist, i))
			label.StoreMasked((*[32]int16)(unsafe.Pointer(at(labels, i))), old.Greater(d))
		}
		if wide < v.cols { // at most 16 more
			assign16(l, a, b, dist, spatial, labels, i, j, cl.GetLo(), ca.GetLo(), cb.GetLo(), label.GetLo())
		}
	}
	archsimd.ClearAVXUpperBits()
}

func block512(p *int16, i int) *[32]int16 { return (*[32]int16)(unsafe.Pointer(at(p, i))) }

func load512(p *int16, i int) archsimd.Int16x32 { return archsimd.LoadInt16x32(block512(p, i)) }

func assign256(v *window) {
	cl, ca, cb := archsimd.BroadcastInt16x16(v.cl), archsimd.BroadcastInt16x16(v.ca), archsimd.BroadcastInt16x16(v.cb)
	label := archsimd.BroadcastInt16x16(int16(v.label))
	l, a, b, dist, labels, spatial := v.l, v.a, v.b, v.dist, v.labels, v.spatial
	for y := range v.rows {
		i, j := y*v.stride, y*v.spread
		for end := i + v.cols; i < end; i, j = i+16, j+16 {
			assign16(l, a, b, dist, spatial, labels, i, j, cl, ca, cb, label)
		}
	}
	archsimd.ClearAVXUpperBits()
}

// assign16 compares 16 pixels, at i of the planes and at j of the spatial part. It is inlined.
func assign16(l, a, b, dist, spatial *int16, labels *uint16, i, j int, cl, ca, cb, label archsimd.Int16x16) {
	d := load256(l, i).Sub(cl).Abs().Add(load256(a, i).Sub(ca).Abs()).Add(load256(b, i).Sub(cb).Abs())
	d = d.AddSaturated(load256(spatial, j))
	old := load256(dist, i)
	d.Min(old).Store(block256(dist, i))
	was := (*[16]int16)(unsafe.Pointer(at(labels, i)))
	label.Merge(archsimd.LoadInt16x16(was), old.Greater(d)).Store(was)
}

func block256(p *int16, i int) *[16]int16 { return (*[16]int16)(unsafe.Pointer(at(p, i))) }

func load256(p *int16, i int) archsimd.Int16x16 { return archsimd.LoadInt16x16(block256(p, i)) }

func edges512(row []uint16, w int, out []int32) int {
	n := 0
	first := &row[0]
	for x := 1; x < w; x += 32 {
		here := archsimd.LoadUint16x32((*[32]uint16)(unsafe.Pointer(at(first, x))))
		before := archsimd.LoadUint16x32((*[32]uint16)(unsafe.Pointer(at(first, x-1))))
		n += spread(uint64(here.NotEqual(before).ToBits()), x, w, out[n:])
	}
	archsimd.ClearAVXUpperBits()
	return n
}

func edges256(row []uint16, w int, out []int32) int {
	n := 0
	first := &row[0]
	for x := 1; x < w; x += 16 {
		here := archsimd.LoadUint16x16((*[16]uint16)(unsafe.Pointer(at(first, x))))
		before := archsimd.LoadUint16x16((*[16]uint16)(unsafe.Pointer(at(first, x-1))))
		n += spread(^bits256(here.Equal(before))&0xFFFF, x, w, out[n:])
	}
	archsimd.ClearAVXUpperBits()
	return n
}

// evens takes the even bytes of each 128 bits to their lower half.
var evens = [32]int8{
	0, 2, 4, 6, 8, 10, 12, 14, -1, -1, -1, -1, -1, -1, -1, -1,
	0, 2, 4, 6, 8, 10, 12, 14, -1, -1, -1, -1, -1, -1, -1, -1,
}

// bits256 is a mask in 16 bits. It does without the mask's own ToBits, which is an instruction of AVX-512.
func bits256(m archsimd.Mask16x16) uint64 {
	bytes := m.ToInt16x16().AsUint8x32().PermuteOrZeroGrouped(archsimd.LoadInt8x32(&evens))
	v := uint64(bytes.AsInt8x32().ToMask().ToBits())
	return v&0xFF | v>>8&0xFF00
}

func calm512(above, row, below, to []uint16, w int) {
	a, p, b, t := &above[0], &row[0], &below[0], &to[0]
	load := func(p *uint16, i int) archsimd.Uint16x32 {
		return archsimd.LoadUint16x32((*[32]uint16)(unsafe.Pointer(at(p, i))))
	}
	for x := 1; x < w-1; x += 32 {
		l, r, u, d := load(p, x-1), load(p, x+1), load(a, x), load(b, x)
		lr, ud := l.Equal(r), u.Equal(d)
		one := l.Equal(u).Or(l.Equal(d))
		other := u.Equal(l).Or(u.Equal(r))
		v := u.Merge(load(p, x), ud.And(other))
		l.Merge(v, lr.And(one)).Store((*[32]uint16)(unsafe.Pointer(at(t, x))))
	}
	archsimd.ClearAVXUpperBits()
}

func borders512(above, row, below []uint16, w int, set []uint64) {
	a, r, b := &above[0], &row[0], &below[0]
	load := func(p *uint16, i int) archsimd.Uint16x32 {
		return archsimd.LoadUint16x32((*[32]uint16)(unsafe.Pointer(at(p, i))))
	}
	for x := 0; x < w; x += 32 {
		k := load(r, x+1)
		differs := k.NotEqual(load(r, x)).Or(k.NotEqual(load(r, x+2))).Or(k.NotEqual(load(a, x))).Or(k.NotEqual(load(b, x)))
		if v := uint64(differs.ToBits()); x%64 == 0 {
			set[x/64] = v
		} else {
			set[x/64] |= v << 32
		}
	}
	archsimd.ClearAVXUpperBits()
}

func calm256(above, row, below, to []uint16, w int) {
	a, p, b, t := &above[0], &row[0], &below[0], &to[0]
	load := func(p *uint16, i int) archsimd.Uint16x16 {
		return archsimd.LoadUint16x16((*[16]uint16)(unsafe.Pointer(at(p, i))))
	}
	for x := 1; x < w-1; x += 16 {
		l, r, u, d := load(p, x-1), load(p, x+1), load(a, x), load(b, x)
		lr, ud := l.Equal(r), u.Equal(d)
		one := l.Equal(u).Or(l.Equal(d))
		other := u.Equal(l).Or(u.Equal(r))
		v := u.Merge(load(p, x), ud.And(other))
		l.Merge(v, lr.And(one)).Store((*[16]uint16)(unsafe.Pointer(at(t, x))))
	}
	archsimd.ClearAVXUpperBits()
}

func borders256(above, row, below []uint16, w int, set []uint64) {
	a, r, b := &above[0], &row[0], &below[0]
	load := func(p *uint16, i int) archsimd.Uint16x16 {
		return archsimd.LoadUint16x16((*[16]uint16)(unsafe.Pointer(at(p, i))))
	}
	for x := 0; x < w; x += 16 {
		k := load(r, x+1)
		same := k.Equal(load(r, x)).And(k.Equal(load(r, x+2))).And(k.Equal(load(a, x))).And(k.Equal(load(b, x)))
		if v := ^bits256(same) & 0xFFFF; x%64 == 0 {
			set[x/64] = v
		} else {
			set[x/64] |= v << (x % 64)
		}
	}
	archsimd.ClearAVXUpperBits()
}

// spread writes x plus the position of each bit, as far as it lies before w.
func spread(mask uint64, x, w int, out []int32) int {
	if x+64 > w {
		mask &= 1<<(w-x) - 1
	}
	n := 0
	for ; mask != 0; mask &= mask - 1 {
		out[n] = int32(x + bits.TrailingZeros64(mask))
		n++
	}
	return n
}

func smooth512(above, row, below, sum, to []int16, w int) {
	p, q, r, s, t := &above[0], &row[0], &below[0], &sum[0], &to[0]
	for x := 0; x < w; x += 32 {
		mid := load512(q, x)
		load512(p, x).Add(mid).Add(mid).Add(load512(r, x)).Store(block512(s, x+1))
	}
	sum[0], sum[w+1] = sum[1], sum[w]
	half, four := archsimd.BroadcastInt16x32(8), archsimd.BroadcastUint16x32(1<<12) // MulHigh by it is a shift by four
	for x := 0; x < w; x += 32 {
		mid := load512(s, x+1)
		v := load512(s, x).Add(mid).Add(mid).Add(load512(s, x+2)).Add(half)
		v.AsUint16x32().MulHigh(four).AsInt16x32().Store(block512(t, x))
	}
	archsimd.ClearAVXUpperBits()
}

func smooth256(above, row, below, sum, to []int16, w int) {
	p, q, r, s, t := &above[0], &row[0], &below[0], &sum[0], &to[0]
	for x := 0; x < w; x += 16 {
		mid := load256(q, x)
		load256(p, x).Add(mid).Add(mid).Add(load256(r, x)).Store(block256(s, x+1))
	}
	sum[0], sum[w+1] = sum[1], sum[w]
	half, four := archsimd.BroadcastInt16x16(8), archsimd.BroadcastUint16x16(1<<12)
	for x := 0; x < w; x += 16 {
		mid := load256(s, x+1)
		v := load256(s, x).Add(mid).Add(mid).Add(load256(s, x+2)).Add(half)
		v.AsUint16x16().MulHigh(four).AsInt16x16().Store(block256(t, x))
	}
	archsimd.ClearAVXUpperBits()
}

func lab512(l, a, b []int16, w int) {
	fl, fa, fb := archsimd.BroadcastUint16x32(lFactor), archsimd.BroadcastInt16x32(aFactor), archsimd.BroadcastInt16x32(bFactor)
	black, zero := archsimd.BroadcastInt16x32(lBlack), archsimd.BroadcastInt16x32(abZero)
	p, q, r := &l[0], &a[0], &b[0]
	for i := 0; i < w; i += 32 {
		x, y, z := load512(q, i), load512(p, i), load512(r, i)
		y.ShiftAllLeft(3).AsUint16x32().MulHigh(fl).AsInt16x32().Sub(black).Store(block512(p, i))
		x.Sub(y).ShiftAllLeft(4).MulHigh(fa).Add(zero).Store(block512(q, i))
		y.Sub(z).ShiftAllLeft(3).MulHigh(fb).Add(zero).Store(block512(r, i))
	}
	archsimd.ClearAVXUpperBits()
}

func lab256(l, a, b []int16, w int) {
	fl, fa, fb := archsimd.BroadcastUint16x16(lFactor), archsimd.BroadcastInt16x16(aFactor), archsimd.BroadcastInt16x16(bFactor)
	black, zero := archsimd.BroadcastInt16x16(lBlack), archsimd.BroadcastInt16x16(abZero)
	p, q, r := &l[0], &a[0], &b[0]
	for i := 0; i < w; i += 16 {
		x, y, z := load256(q, i), load256(p, i), load256(r, i)
		y.ShiftAllLeft(3).AsUint16x16().MulHigh(fl).AsInt16x16().Sub(black).Store(block256(p, i))
		x.Sub(y).ShiftAllLeft(4).MulHigh(fa).Add(zero).Store(block256(q, i))
		y.Sub(z).ShiftAllLeft(3).MulHigh(fb).Add(zero).Store(block256(r, i))
	}
	archsimd.ClearAVXUpperBits()
}
