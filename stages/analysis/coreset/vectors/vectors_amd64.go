//go:build amd64 && goexperiment.simd

package vectors

import (
	"math/bits"
	"simd/archsimd"
)

// What this processor has. Tests turn them off.
var (
	avx2   = archsimd.X86.AVX2()
	avx512 = archsimd.X86.AVX512()
)

func productsVectors(dst []float32, stride int, rows [][Group]float32, panel [][Panel]float32) bool {
	switch {
	case avx512:
		products512(dst, stride, rows, panel)
	case avx2:
		products256(dst, stride, rows, panel)
	default:
		return false
	}
	return true
}

// products512 has two sums for each query, which with what is added to them is all that the compiler keeps in registers. It does, for it
// schedules by lines but for inlined calls, hence no BroadcastFloat32x16, and but for the last sums of a round, hence two numbers in one.
func products512(dst []float32, stride int, rows [][Group]float32, panel [][Panel]float32) {
	const round = 2
	var (
		a0, a1, b0, b1, c0, c1, d0, d1 archsimd.Float32x16
		one                            archsimd.Float32x4
	)
	for len(rows) >= round && len(panel) >= round {
		r, p := (*[round][Group]float32)(rows), (*[round][Panel]float32)(panel)
		p0 := archsimd.LoadFloat32x16((*[lanes]float32)(p[0][:]))
		p1 := archsimd.LoadFloat32x16((*[lanes]float32)(p[0][lanes:]))
		q := one.SetElem(0, r[0][0]).Broadcast1To16()
		a0, a1 = a0.Add(q.Mul(p0)), a1.Add(q.Mul(p1))
		q = one.SetElem(0, r[0][1]).Broadcast1To16()
		b0, b1 = b0.Add(q.Mul(p0)), b1.Add(q.Mul(p1))
		q = one.SetElem(0, r[0][2]).Broadcast1To16()
		c0, c1 = c0.Add(q.Mul(p0)), c1.Add(q.Mul(p1))
		q = one.SetElem(0, r[0][3]).Broadcast1To16()
		d0, d1 = d0.Add(q.Mul(p0)), d1.Add(q.Mul(p1))
		p0 = archsimd.LoadFloat32x16((*[lanes]float32)(p[1][:]))
		p1 = archsimd.LoadFloat32x16((*[lanes]float32)(p[1][lanes:]))
		q = one.SetElem(0, r[1][0]).Broadcast1To16()
		a0, a1 = a0.Add(q.Mul(p0)), a1.Add(q.Mul(p1))
		q = one.SetElem(0, r[1][1]).Broadcast1To16()
		b0, b1 = b0.Add(q.Mul(p0)), b1.Add(q.Mul(p1))
		q = one.SetElem(0, r[1][2]).Broadcast1To16()
		c0, c1 = c0.Add(q.Mul(p0)), c1.Add(q.Mul(p1))
		q = one.SetElem(0, r[1][3]).Broadcast1To16()
		d0, d1 = d0.Add(q.Mul(p0)), d1.Add(q.Mul(p1))
		rows, panel = rows[round:], panel[round:]
	}
	for d := range min(len(rows), len(panel)) {
		p0 := archsimd.LoadFloat32x16((*[lanes]float32)(panel[d][:]))
		p1 := archsimd.LoadFloat32x16((*[lanes]float32)(panel[d][lanes:]))
		q := one.SetElem(0, rows[d][0]).Broadcast1To16()
		a0, a1 = a0.Add(q.Mul(p0)), a1.Add(q.Mul(p1))
		q = one.SetElem(0, rows[d][1]).Broadcast1To16()
		b0, b1 = b0.Add(q.Mul(p0)), b1.Add(q.Mul(p1))
		q = one.SetElem(0, rows[d][2]).Broadcast1To16()
		c0, c1 = c0.Add(q.Mul(p0)), c1.Add(q.Mul(p1))
		q = one.SetElem(0, rows[d][3]).Broadcast1To16()
		d0, d1 = d0.Add(q.Mul(p0)), d1.Add(q.Mul(p1))
	}
	store512(dst, a0, a1)
	store512(dst[stride:], b0, b1)
	store512(dst[2*stride:], c0, c1)
	store512(dst[3*stride:], d0, d1)
	archsimd.ClearAVXUpperBits()
}

func store512(dst []float32, low, high archsimd.Float32x16) {
	low.Store((*[lanes]float32)(dst))
	high.Store((*[lanes]float32)(dst[lanes:]))
}

// products256 does eight vectors of the panel after the others.
func products256(dst []float32, stride int, rows [][Group]float32, panel [][Panel]float32) {
	panel = panel[:len(rows)]
	for at := 0; at < Panel; at += 8 {
		var s0, s1, s2, s3 archsimd.Float32x8
		for d := range rows {
			r, p := &rows[d], archsimd.LoadFloat32x8((*[8]float32)(panel[d][at:]))
			s0 = s0.Add(p.Mul(archsimd.BroadcastFloat32x8(r[0])))
			s1 = s1.Add(p.Mul(archsimd.BroadcastFloat32x8(r[1])))
			s2 = s2.Add(p.Mul(archsimd.BroadcastFloat32x8(r[2])))
			s3 = s3.Add(p.Mul(archsimd.BroadcastFloat32x8(r[3])))
		}
		s0.Store((*[8]float32)(dst[at:]))
		s1.Store((*[8]float32)(dst[stride+at:]))
		s2.Store((*[8]float32)(dst[2*stride+at:]))
		s3.Store((*[8]float32)(dst[3*stride+at:]))
	}
	archsimd.ClearAVXUpperBits()
}

func halves(p *[lanes]float32) (low, high archsimd.Float32x8) {
	return archsimd.LoadFloat32x8((*[8]float32)(p[:8])), archsimd.LoadFloat32x8((*[8]float32)(p[8:]))
}

// transposeVectors does a square of Group rows.
func transposeVectors(dst []float32, dstStride int, src []float32, srcStride int) bool {
	if !avx2 {
		return false
	}
	row := func(i int) archsimd.Int32x4 {
		return archsimd.LoadFloat32x4((*[Group]float32)(src[i*srcStride:])).AsInt32x4()
	}
	r0, r1, r2, r3 := row(0), row(1), row(2), row(3)
	low01, low23 := r0.InterleaveLo(r1).AsInt64x2(), r2.InterleaveLo(r3).AsInt64x2()
	high01, high23 := r0.InterleaveHi(r1).AsInt64x2(), r2.InterleaveHi(r3).AsInt64x2()
	low01.InterleaveLo(low23).AsFloat32x4().Store((*[Group]float32)(dst))
	low01.InterleaveHi(low23).AsFloat32x4().Store((*[Group]float32)(dst[dstStride:]))
	high01.InterleaveLo(high23).AsFloat32x4().Store((*[Group]float32)(dst[2*dstStride:]))
	high01.InterleaveHi(high23).AsFloat32x4().Store((*[Group]float32)(dst[3*dstStride:]))
	return true
}

// gainVectors returns units.
func gainVectors(sim, best []float32) (sum int64, done int) {
	if !avx2 {
		return 0, 0
	}
	done = len(sim)
	for len(sim) > 0 {
		n := min(block, len(sim))
		var part [lanes]int32
		if avx512 {
			gain512(&part, sim[:n], best[:n])
		} else {
			gain256(&part, sim[:n], best[:n])
		}
		for i := range part {
			sum += int64(part[i])
		}
		sim, best = sim[n:], best[n:]
	}
	return sum, done
}

func gain512(sum *[lanes]int32, sim, best []float32) {
	var (
		s    archsimd.Int32x16
		zero archsimd.Float32x16
	)
	scale := archsimd.BroadcastFloat32x16(1 / unit)
	for len(sim) >= lanes && len(best) >= lanes {
		x, b := archsimd.LoadFloat32x16((*[lanes]float32)(sim)), archsimd.LoadFloat32x16((*[lanes]float32)(best))
		s = s.Add(x.Sub(b).Max(zero).Mul(scale).ConvertToInt32())
		sim, best = sim[lanes:], best[lanes:]
	}
	s.Store(sum)
	archsimd.ClearAVXUpperBits()
}

func gain256(sum *[lanes]int32, sim, best []float32) {
	var (
		low, high archsimd.Int32x8
		zero      archsimd.Float32x8
	)
	scale := archsimd.BroadcastFloat32x8(1 / unit)
	for len(sim) >= lanes && len(best) >= lanes {
		s0, s1 := halves((*[lanes]float32)(sim))
		b0, b1 := halves((*[lanes]float32)(best))
		low = low.Add(s0.Sub(b0).Max(zero).Mul(scale).ConvertToInt32())
		high = high.Add(s1.Sub(b1).Max(zero).Mul(scale).ConvertToInt32())
		sim, best = sim[lanes:], best[lanes:]
	}
	low.Store((*[8]int32)(sum[:8]))
	high.Store((*[8]int32)(sum[8:]))
	archsimd.ClearAVXUpperBits()
}

func compressVectors(values []float32, places []int32, sim, best []float32) (n, done int) {
	if !avx512 {
		return 0, 0
	}
	at := archsimd.LoadInt32x16(&[lanes]int32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15})
	next := archsimd.BroadcastInt32x16(lanes)
	for ; done < len(sim); done += lanes {
		s := archsimd.LoadFloat32x16((*[lanes]float32)(sim[done:]))
		larger := s.Greater(archsimd.LoadFloat32x16((*[lanes]float32)(best[done:])))
		s.Compress(larger).Store((*[lanes]float32)(values[n:]))
		at.Compress(larger).Store((*[lanes]int32)(places[n:]))
		n += bits.OnesCount16(larger.ToBits())
		at = at.Add(next)
	}
	archsimd.ClearAVXUpperBits()
	return n, done
}

func raiseVectors(best, sim []float32) int {
	if !avx2 {
		return 0
	}
	n := len(sim)
	for len(sim) >= 8 && len(best) >= 8 {
		b := (*[8]float32)(best)
		archsimd.LoadFloat32x8(b).Max(archsimd.LoadFloat32x8((*[8]float32)(sim))).Store(b)
		sim, best = sim[8:], best[8:]
	}
	archsimd.ClearAVXUpperBits()
	return n
}

func aboveVectors(row []float32, limit float32) int {
	if !avx2 {
		return 0
	}
	n, bound := len(row), archsimd.BroadcastFloat32x8(limit)
	for len(row) >= lanes {
		low, high := halves((*[lanes]float32)(row))
		if low.Greater(bound).Or(high.Greater(bound)).ToBits() != 0 {
			break
		}
		row = row[lanes:]
	}
	archsimd.ClearAVXUpperBits()
	return n - len(row)
}
