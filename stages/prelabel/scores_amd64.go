//go:build amd64 && goexperiment.simd

package prelabel

import "simd/archsimd"

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
		for j, c := range at {
			class[i+j] = int(c)
		}
		topA.Store((*[8]float32)(top[i:]))
		topB.Store((*[8]float32)(top[i+8:]))
	}
	archsimd.ClearAVXUpperBits()
	return i
}

// aboveVectors is above of whole blocks from the first on; it returns how many numbers those have.
func aboveVectors(p []float32, least float32) (done int, any bool) {
	if !vectors {
		return 0, false
	}
	than := archsimd.BroadcastFloat32x8(least)
	var bits uint8 // and no vector, which would be there still after the bits are cleared
	for ; done+8 <= len(p); done += 8 {
		bits |= archsimd.LoadFloat32x8((*[8]float32)(p[done:])).Greater(than).ToBits()
	}
	archsimd.ClearAVXUpperBits()
	return done, bits != 0
}
