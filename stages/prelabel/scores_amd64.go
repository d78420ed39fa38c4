//go:build amd64 && goexperiment.simd

package prelabel

import (
	"math"
	"math/bits"
	"simd/archsimd"
)

// vectors says whether this processor has those of AVX2. Tests turn them off.
var vectors = archsimd.X86.AVX2()

// bestVectors is bestByCell of whole blocks of cells from the first on, with the same results; it returns how many cells that were.
func bestVectors(class []int, top, planes []float32) int {
	if !vectors {
		return 0
	}
	cells, i := len(class), 0
	load := func(p []float32) (a, b archsimd.Float32x8) {
		p = p[:16]
		return archsimd.LoadFloat32x8((*[8]float32)(p)), archsimd.LoadFloat32x8((*[8]float32)(p[8:]))
	}
	for ; i+16 <= cells; i += 16 { // a cache line of floats
		var atA, atB archsimd.Int32x8
		topA, topB := load(planes[i:])
		for c := 1; c*cells < len(planes); c++ {
			this := archsimd.BroadcastInt32x8(int32(c))
			a, b := load(planes[c*cells+i:])
			moreA, moreB := a.Greater(topA), b.Greater(topB)
			topA, topB = a.Merge(topA, moreA), b.Merge(topB, moreB)
			atA, atB = this.Merge(atA, moreA), this.Merge(atB, moreB)
		}
		var at [16]int32
		atA.Store((*[8]int32)(at[:]))
		atB.Store((*[8]int32)(at[8:]))
		for j := range at {
			class[i+j] = int(at[j])
		}
		topA.Store((*[8]float32)(top[i:]))
		topB.Store((*[8]float32)(top[i+8:]))
	}
	archsimd.ClearAVXUpperBits()
	return i
}

// bestOfVectors is best of whole blocks from the first on; it returns how many numbers those have.
func bestOfVectors(p []float32) (done, at int, top float32) {
	top = float32(math.Inf(-1))
	if !vectors || len(p) < 8 {
		return 0, 0, top
	}
	tops := archsimd.BroadcastFloat32x8(top)
	for ; done+8 <= len(p); done += 8 {
		v := archsimd.LoadFloat32x8((*[8]float32)(p[done:]))
		tops = v.Merge(tops, v.Greater(tops)) // not NaN
	}
	var lanes [8]float32
	tops.Store(&lanes)
	archsimd.ClearAVXUpperBits()
	for i := range lanes {
		top = max(top, lanes[i])
	}
	all := archsimd.BroadcastFloat32x8(top)
	for at < done {
		equal := archsimd.LoadFloat32x8((*[8]float32)(p[at:])).Equal(all).ToBits()
		if equal != 0 {
			at += bits.TrailingZeros8(equal)
			break
		}
		at += 8
	}
	archsimd.ClearAVXUpperBits()
	if math.IsInf(float64(top), -1) {
		return done, 0, top
	}
	return done, at, p[at]
}

// aboveVectors is bitsAbove of whole blocks from the first on; it returns how many numbers those have.
func aboveVectors(p []float32, least float32) (done int, set uint64) {
	if !vectors {
		return 0, 0
	}
	than := archsimd.BroadcastFloat32x8(least)
	for ; done+8 <= len(p); done += 8 {
		set |= uint64(archsimd.LoadFloat32x8((*[8]float32)(p[done:])).Greater(than).ToBits()) << done
	}
	archsimd.ClearAVXUpperBits()
	return done, set
}

// rankVectors is rank of whole blocks of cells from the first on, with the same results; it returns how many cells that were.
// It needs more registers than AVX2 has.
func rankVectors(r *ranks, planes []float32) int {
	if !vectors || !archsimd.X86.AVX512() {
		return 0
	}
	i := 0
	for ; i+16 <= r.cells; i += 16 {
		none := archsimd.BroadcastFloat32x16(float32(math.Inf(-1)))
		v0, v1, v2, v3, v4 := none, none, none, none, none
		var c0, c1, c2, c3, c4 archsimd.Int32x16
		for c := 0; c*r.cells < len(planes); c++ {
			this, v := archsimd.BroadcastInt32x16(int32(c)), archsimd.LoadFloat32x16((*[16]float32)(planes[c*r.cells+i:]))
			// From the last rank up: what v is not above stays, what it is above moves down by one, and v takes the place between.
			above4, above3 := v.Greater(v4), v.Greater(v3)
			v4, c4 = v3.Merge(v.Merge(v4, above4), above3), c3.Merge(this.Merge(c4, above4), above3)
			above2 := v.Greater(v2)
			v3, c3 = v2.Merge(v.Merge(v3, above3), above2), c2.Merge(this.Merge(c3, above3), above2)
			above1 := v.Greater(v1)
			v2, c2 = v1.Merge(v.Merge(v2, above2), above1), c1.Merge(this.Merge(c2, above2), above1)
			above0 := v.Greater(v0)
			v1, c1 = v0.Merge(v.Merge(v1, above1), above0), c0.Merge(this.Merge(c1, above1), above0)
			v0, c0 = v.Merge(v0, above0), this.Merge(c0, above0)
		}
		for rank, v := range [maxClassScores]archsimd.Float32x16{v0, v1, v2, v3, v4} {
			v.Store((*[16]float32)(r.number[rank*r.cells+i:]))
		}
		for rank, c := range [maxClassScores]archsimd.Int32x16{c0, c1, c2, c3, c4} {
			c.Store((*[16]int32)(r.class[rank*r.cells+i:]))
		}
	}
	archsimd.ClearAVXUpperBits()
	return i
}

// 1/ln 2, and ln 2 in two parts, as math.Exp has them.
const (
	log2E    = 1.4426950408889634073599246810018920
	ln2Upper = 0.69314718055966295651160180568695068359375
	ln2Lower = 0.28235290563031577122588448175013436025525412068e-12
)

// inverseFactorials are 1/2! to 1/8!, each four times.
var inverseFactorials = func() (of [7][4]float64) {
	factorial := 1.
	for n := range of {
		factorial *= float64(n + 2)
		of[n] = [4]float64{1 / factorial, 1 / factorial, 1 / factorial, 1 / factorial}
	}
	return of
}()

// exponentialVectors is exponentials of whole blocks from the first on, up to one with a number whose exponential may be subnormal, infinite or
// none. It takes the steps that math.Exp takes on processors with fused multiplication, so it makes the same bits.
func exponentialVectors(x []float64) int {
	if !vectors || !archsimd.X86.FMA() {
		return 0
	}
	low, high := archsimd.BroadcastFloat64x4(-700), archsimd.BroadcastFloat64x4(700)
	perLn2, ln2U, ln2L := archsimd.BroadcastFloat64x4(log2E), archsimd.BroadcastFloat64x4(-ln2Upper), archsimd.BroadcastFloat64x4(-ln2Lower)
	sixteenth, one, two := archsimd.BroadcastFloat64x4(1./16), archsimd.BroadcastFloat64x4(1), archsimd.BroadcastFloat64x4(2)
	var series [len(inverseFactorials)]archsimd.Float64x4
	for n := range series {
		series[n] = archsimd.LoadFloat64x4(&inverseFactorials[n])
	}
	bias := archsimd.BroadcastInt64x4(1023)
	i := 0
	for ; i+4 <= len(x); i += 4 {
		to := (*[4]float64)(x[i:])
		v := archsimd.LoadFloat64x4(to)
		if v.Greater(low).And(v.Less(high)).ToBits() != 0xf {
			break
		}
		exponent := v.Mul(perLn2).RoundToEven()
		v = exponent.MulAdd(ln2L, exponent.MulAdd(ln2U, v)).Mul(sixteenth)
		e := v.MulAdd(series[6], series[5]).MulAdd(v, series[4]).MulAdd(v, series[3]).MulAdd(v, series[2]).MulAdd(v, series[1])
		e = e.MulAdd(v, series[0]).MulAdd(v, one).Mul(v)
		e = e.Mul(e.Add(two)) // e^v - 1, doubled in its exponent four times
		e = e.Mul(e.Add(two))
		e = e.Mul(e.Add(two))
		e = e.MulAdd(e.Add(two), one)
		power := exponent.ConvertToInt32().ExtendToInt64().Add(bias).ShiftAllLeft(52)
		e.Mul(power.AsFloat64x4()).Store(to)
	}
	archsimd.ClearAVXUpperBits()
	return i
}
