//go:build amd64 && goexperiment.simd

package forest

import "simd/archsimd"

// vectors says whether this processor has those of AVX2. Tests turn them off.
var vectors = archsimd.X86.AVX2()

// add is addScalar, with vectors where the processor has them: the results are the same bit by bit.
func (f *Forest) add(sums *[lanes]float32, block [][lanes]float32) {
	if !vectors {
		f.addScalar(sums, block)
		return
	}
	const bias = 127 // of a float's exponent, in the bits from mantissa on
	mantissa := archsimd.BroadcastUint32x8(23)
	var none archsimd.Int32x8
	half, exponent := archsimd.BroadcastInt32x8(MaxLeaves/2-1), archsimd.BroadcastInt32x8(bias)
	all := archsimd.LoadFloat32x8(sums)
	for i := range f.trees {
		t := &f.trees[i]
		left := archsimd.BroadcastInt32x8(1<<MaxLeaves - 1)
		for j := range t.tests {
			q := &t.tests[j]
			yes := archsimd.LoadFloat32x8(&block[q.feature]).LessEqual(archsimd.BroadcastFloat32x8(q.value)).ToInt32x8()
			left = left.And(yes.Or(archsimd.BroadcastInt32x8(int32(q.keep)))) //nolint:gosec // bits
		}
		// The first leaf's place is the exponent of its bit.
		first := left.And(none.Sub(left)).ConvertToFloat32().AsUint32x8().ShiftRight(mantissa).AsInt32x8().Sub(exponent)
		at := first.AsUint32x8()
		lower := archsimd.LoadFloat32x8((*[8]float32)(t.leaves[:])).Permute(at)
		upper := archsimd.LoadFloat32x8((*[8]float32)(t.leaves[8:])).Permute(at)
		all = all.Add(upper.Merge(lower, first.Greater(half)))
	}
	all.Store(sums)
	archsimd.ClearAVXUpperBits()
}
