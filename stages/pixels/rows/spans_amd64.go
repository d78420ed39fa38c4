//go:build amd64 && goexperiment.simd

package rows

import (
	"encoding/binary"
	"math/bits"
	"simd/archsimd"
)

// spanVectors are the output pixels by eights, as far as each eight lies over 16 columns; then none lies over more than three.
type spanVectors struct {
	eights  []eight
	inverse uint32 // of twice the weight under an output pixel, in units of 2^-shift
	shift   uint64
}

type eight struct {
	at      int          // the first of 16 columns
	columns int          // under each output pixel, at most; those that it does not have are covered by nothing
	column  [3][8]uint32 // the columns, from at
	part    [3][8]uint32 // how much of them it covers, twice
}

func (s *Spans) newVectors(columns int) spanVectors {
	const most = 1 << 21 // 511 times as much is below 2^30, and so exact by the inverse
	if s.covered > most || columns+1 < 16 {
		return spanVectors{}
	}
	v := spanVectors{shift: 30 + uint64(bits.Len64(2*s.covered-1))}
	v.inverse = uint32(1<<v.shift/(2*s.covered) + 1)
	v.eights = make([]eight, 0, len(s.ends)/8)
	var left border
	for x := 0; x+8 <= len(s.ends); x += 8 {
		e := eight{at: min(left.column, columns+1-16)}
		for i, right := range s.ends[x : x+8] {
			under := right.column - left.column
			if right.part > 0 {
				under++
			}
			if right.column-e.at >= 16 || under > 3 {
				return v
			}
			for k := range under {
				column, from, to := left.column+k, uint64(0), s.whole
				if k == 0 {
					from = left.part
				}
				if column == right.column {
					to = right.part
				}
				e.column[k][i], e.part[k][i] = uint32(column-e.at), uint32(2*(to-from))
			}
			e.columns = max(e.columns, under)
			left = right
		}
		v.eights = append(v.eights, e)
	}
	return v
}

// evenBytes has the first two of eight bytes, twice in a lane.
var evenBytes = bothLanes([16]int8{0, 1, 8, 9, zero, zero, zero, zero, zero, zero, zero, zero, zero, zero, zero, zero})

func (s *Spans) averageVectors(dst []uint8, sum []uint32) int {
	if !vectors || len(s.vectors.eights) == 0 {
		return 0
	}
	covered, inverse := archsimd.BroadcastUint32x8(uint32(s.covered)), archsimd.BroadcastUint32x8(s.vectors.inverse)
	shift, half := archsimd.BroadcastUint64x4(s.vectors.shift), archsimd.BroadcastUint64x4(32)
	seven := archsimd.BroadcastInt32x8(7)
	low, turns := archsimd.LoadInt8x32(&evenBytes), archsimd.LoadUint32x8(&lanesInTurn)
	for x := range s.vectors.eights {
		e := &s.vectors.eights[x]
		p := sum[e.at:][:16]
		lo, hi := archsimd.LoadUint32x8((*[8]uint32)(p)), archsimd.LoadUint32x8((*[8]uint32)(p[8:]))
		under := func(k int) archsimd.Uint32x8 {
			column := archsimd.LoadUint32x8(&e.column[k])
			v := hi.Permute(column).Merge(lo.Permute(column), column.AsInt32x8().Greater(seven))
			return v.Mul(archsimd.LoadUint32x8(&e.part[k]))
		}
		total := under(0).Add(under(1)).Add(covered)
		if e.columns > 2 {
			total = total.Add(under(2))
		}
		even := total.MulEvenWiden(inverse).ShiftRight(shift)
		odd := total.AsUint64x4().ShiftRight(half).AsUint32x8().MulEvenWiden(inverse).ShiftRight(shift)
		mean := even.Or(odd.ShiftAllLeft(8)).AsUint8x32().PermuteOrZeroGrouped(low)
		binary.LittleEndian.PutUint64(dst[8*x:], mean.AsUint32x8().Permute(turns).AsUint64x4().GetLo().GetElem(0))
	}
	archsimd.ClearAVXUpperBits()
	return 8 * len(s.vectors.eights)
}
