//go:build amd64 && goexperiment.simd

package vectors

import "simd/archsimd"

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

// products512 has a sum a query. More of them at a time do not stay in registers.
func products512(dst []float32, stride int, rows [][Group]float32, panel [][Panel]float32) {
	var s0, s1, s2, s3 archsimd.Float32x16
	panel = panel[:len(rows)]
	for d := range rows {
		r, p := &rows[d], archsimd.LoadFloat32x16(&panel[d])
		s0 = s0.Add(p.Mul(archsimd.BroadcastFloat32x16(r[0])))
		s1 = s1.Add(p.Mul(archsimd.BroadcastFloat32x16(r[1])))
		s2 = s2.Add(p.Mul(archsimd.BroadcastFloat32x16(r[2])))
		s3 = s3.Add(p.Mul(archsimd.BroadcastFloat32x16(r[3])))
	}
	s0.Store((*[Panel]float32)(dst))
	s1.Store((*[Panel]float32)(dst[stride:]))
	s2.Store((*[Panel]float32)(dst[2*stride:]))
	s3.Store((*[Panel]float32)(dst[3*stride:]))
}

// products256 does half a panel after the other.
func products256(dst []float32, stride int, rows [][Group]float32, panel [][Panel]float32) {
	panel = panel[:len(rows)]
	for half := 0; half < Panel; half += 8 {
		var s0, s1, s2, s3 archsimd.Float32x8
		for d := range rows {
			r, p := &rows[d], archsimd.LoadFloat32x8((*[8]float32)(panel[d][half:]))
			s0 = s0.Add(p.Mul(archsimd.BroadcastFloat32x8(r[0])))
			s1 = s1.Add(p.Mul(archsimd.BroadcastFloat32x8(r[1])))
			s2 = s2.Add(p.Mul(archsimd.BroadcastFloat32x8(r[2])))
			s3 = s3.Add(p.Mul(archsimd.BroadcastFloat32x8(r[3])))
		}
		s0.Store((*[8]float32)(dst[half:]))
		s1.Store((*[8]float32)(dst[stride+half:]))
		s2.Store((*[8]float32)(dst[2*stride+half:]))
		s3.Store((*[8]float32)(dst[3*stride+half:]))
	}
}

func halves(p *[Panel]float32) (low, high archsimd.Float32x8) {
	return archsimd.LoadFloat32x8((*[8]float32)(p[:8])), archsimd.LoadFloat32x8((*[8]float32)(p[8:]))
}

func gainVectors(lanes *[Panel]float32, sim, best []float32) int {
	if !avx2 {
		return 0
	}
	var low, high, zero archsimd.Float32x8
	n := len(sim)
	for len(sim) >= Panel && len(best) >= Panel {
		s0, s1 := halves((*[Panel]float32)(sim))
		b0, b1 := halves((*[Panel]float32)(best))
		low, high = low.Add(s0.Sub(b0).Max(zero)), high.Add(s1.Sub(b1).Max(zero))
		sim, best = sim[Panel:], best[Panel:]
	}
	low.Store((*[8]float32)(lanes[:8]))
	high.Store((*[8]float32)(lanes[8:]))
	return n
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
	return n
}

func aboveVectors(row []float32, limit float32) int {
	if !avx2 {
		return 0
	}
	n, bound := len(row), archsimd.BroadcastFloat32x8(limit)
	for len(row) >= Panel {
		low, high := halves((*[Panel]float32)(row))
		if low.Greater(bound).Or(high.Greater(bound)).ToBits() != 0 {
			break
		}
		row = row[Panel:]
	}
	return n - len(row)
}
