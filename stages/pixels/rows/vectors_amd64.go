//go:build amd64 && goexperiment.simd

package rows

import (
	"math/bits"
	"simd/archsimd"
	"unsafe"
)

// vectors says whether this processor has those of AVX2. Tests turn them off.
var vectors = archsimd.X86.AVX2()

// Each function does whole blocks from the row's beginning, as many as there are, and returns how many pixels that were.

// blocks are the whole blocks, arrays B of T, from the beginning of s: their bounds are checked once, not at each.
func blocks[B, T any](s []T) []B {
	var b B
	return unsafe.Slice((*B)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(*new(T)))/int(unsafe.Sizeof(b)))
}

// Bytes of a 128-bit lane in the places of others; zero stands for none.
const zero = -1

func bothLanes(lane [16]int8) (both [32]int8) {
	copy(both[:], lane[:])
	copy(both[16:], lane[:])
	return both
}

var (
	// Of 24 bytes of RGB at the beginning or the end of 32, the first 12 go to the lower lane and the others to the upper.
	firstPixels = [8]uint32{0, 1, 2, 3, 3, 4, 5, 6}
	lastPixels  = [8]uint32{2, 3, 4, 5, 5, 6, 7, 7}
	// Of four pixels of RGB in a lane, 16 bits each: red and green, blue and green.
	redGreen  = bothLanes([16]int8{0, zero, 1, zero, 3, zero, 4, zero, 6, zero, 7, zero, 9, zero, 10, zero})
	blueGreen = bothLanes([16]int8{2, zero, 1, zero, 5, zero, 4, zero, 8, zero, 7, zero, 11, zero, 10, zero})
	// The third bytes of four 32-bit elements to the first, second, third and fourth four bytes of the lane.
	thirdBytes = [4][32]int8{
		bothLanes([16]int8{2, 6, 10, 14, zero, zero, zero, zero, zero, zero, zero, zero, zero, zero, zero, zero}),
		bothLanes([16]int8{zero, zero, zero, zero, 2, 6, 10, 14, zero, zero, zero, zero, zero, zero, zero, zero}),
		bothLanes([16]int8{zero, zero, zero, zero, zero, zero, zero, zero, 2, 6, 10, 14, zero, zero, zero, zero}),
		bothLanes([16]int8{zero, zero, zero, zero, zero, zero, zero, zero, zero, zero, zero, zero, 2, 6, 10, 14}),
	}
	// Four-byte elements of the two lanes in turn.
	lanesInTurn = [8]uint32{0, 4, 1, 5, 2, 6, 3, 7}
)

func lumaVectors(dst, rgb []uint8) int {
	if !vectors || len(dst) < 32 {
		return 0
	}
	first, last := archsimd.LoadUint32x8(&firstPixels), archsimd.LoadUint32x8(&lastPixels)
	rg, bg := archsimd.LoadInt8x32(&redGreen), archsimd.LoadInt8x32(&blueGreen)
	// Products are of signed 16 bits, so the weight of green is halved and taken twice.
	const green = lumaGreen / 2
	ofRG := archsimd.BroadcastInt32x8(lumaRed | green<<16).AsInt16x16()
	ofBG := archsimd.BroadcastInt32x8(lumaBlue | green<<16).AsInt16x16()
	half := archsimd.BroadcastInt32x8(1 << 15)
	to0, to1 := archsimd.LoadInt8x32(&thirdBytes[0]), archsimd.LoadInt8x32(&thirdBytes[1])
	to2, to3 := archsimd.LoadInt8x32(&thirdBytes[2]), archsimd.LoadInt8x32(&thirdBytes[3])
	turns := archsimd.LoadUint32x8(&lanesInTurn)
	luma := func(p []uint8, pixels archsimd.Uint32x8, to archsimd.Int8x32) archsimd.Uint8x32 { // of eight, in units of 2^-16
		v := archsimd.LoadUint8x32((*[32]uint8)(p)).AsUint32x8().Permute(pixels).AsUint8x32()
		sum := v.PermuteOrZeroGrouped(rg).AsInt16x16().DotProductPairs(ofRG)
		sum = sum.Add(v.PermuteOrZeroGrouped(bg).AsInt16x16().DotProductPairs(ofBG)).Add(half)
		return sum.AsUint8x32().PermuteOrZeroGrouped(to)
	}
	i := 0
	for ; i+32 <= len(dst); i += 32 {
		p := rgb[3*i:][:96]
		v := luma(p, first, to0).Or(luma(p[24:], first, to1)).Or(luma(p[48:], first, to2)).Or(luma(p[64:], last, to3))
		v.AsUint32x8().Permute(turns).AsUint8x32().Store((*[32]uint8)(dst[i:]))
	}
	archsimd.ClearAVXUpperBits()
	return i
}

func addWeightedVectors(sum []uint32, above, below []uint8, upper, lower uint32) int {
	if !vectors {
		return 0
	}
	weights := archsimd.BroadcastUint32x8(lower<<16 | upper).AsInt16x16()
	i := 0
	for ; i+16 <= len(above); i += 16 {
		a, b, s := extend16(above[i:]), extend16(below[i:]), sum[i:][:16]
		even, odd := a.InterleaveLoGrouped(b).DotProductPairs(weights), a.InterleaveHiGrouped(b).DotProductPairs(weights)
		lo, hi := (*[8]uint32)(s), (*[8]uint32)(s[8:])
		even.Select128FromPair(0, 2, odd).AsUint32x8().Add(archsimd.LoadUint32x8(lo)).Store(lo)
		even.Select128FromPair(1, 3, odd).AsUint32x8().Add(archsimd.LoadUint32x8(hi)).Store(hi)
	}
	archsimd.ClearAVXUpperBits()
	return i
}

// extend16 is 16 levels from the first.
func extend16(p []uint8) archsimd.Int16x16 {
	return archsimd.LoadUint8x16((*[16]uint8)(p)).ExtendToUint16().AsInt16x16()
}

func total(v archsimd.Int32x8) int {
	var s [8]int32
	v.Store(&s)
	sum := 0
	for i := range s {
		sum += int(s[i])
	}
	return sum
}

func laplacianVectors(above, row, below []uint8) (done, sum, squares int) {
	if !vectors {
		return 0, 0, 0
	}
	var sums, squared archsimd.Int32x8
	one := archsimd.BroadcastInt16x16(1)
	const atMost = 1 << 14 // so many squares of up to 1020^2 have a sum below 2^31 in each of eight elements
	for ; done+18 <= min(len(row), atMost); done += 16 {
		l := extend16(above[done+1:]).Add(extend16(below[done+1:])).Add(extend16(row[done:])).Add(extend16(row[done+2:]))
		l = l.Sub(extend16(row[done+1:]).ShiftAllLeft(2))
		sums = sums.Add(l.DotProductPairs(one))
		squared = squared.Add(l.DotProductPairs(l))
	}
	sum, squares = total(sums), total(squared)
	archsimd.ClearAVXUpperBits()
	return done, sum, squares
}

func (s *Levels) addVectors(row []uint8, low, high uint8) int {
	if !vectors {
		return 0
	}
	var sums archsimd.Uint64x4
	var squared archsimd.Int32x8
	var none archsimd.Uint8x32
	lows, highs := archsimd.BroadcastUint8x32(low), archsimd.BroadcastUint8x32(high)
	i := 0
	const atMost = 1 << 17 // so many squares of up to 255^2 have a sum below 2^31 in each of eight elements
	for ; i+32 <= min(len(row), atMost); i += 32 {
		v := archsimd.LoadUint8x32((*[32]uint8)(row[i:]))
		sums = sums.Add(v.SumAbsDiff(none).AsUint64x4())
		lo, hi := v.GetLo().ExtendToUint16().AsInt16x16(), v.GetHi().ExtendToUint16().AsInt16x16()
		squared = squared.Add(lo.DotProductPairs(lo)).Add(hi.DotProductPairs(hi))
		s.Low += bits.OnesCount32(v.Min(lows).Equal(v).ToBits())
		s.High += bits.OnesCount32(v.Max(highs).Equal(v).ToBits())
	}
	var sum [4]uint64
	sums.Store(&sum)
	s.Sum += int(sum[0] + sum[1] + sum[2] + sum[3])
	s.Squares += total(squared)
	archsimd.ClearAVXUpperBits()
	return i
}

func differenceVectors(a, b []uint8) (done, sum int) {
	if !vectors || len(a) < 32 {
		return 0, 0
	}
	of, and := blocks[[32]uint8](a), blocks[[32]uint8](b)[:len(a)/32]
	var sums archsimd.Uint64x4
	for i := range of {
		sums = sums.Add(archsimd.LoadUint8x32(&of[i]).SumAbsDiff(archsimd.LoadUint8x32(&and[i])).AsUint64x4())
	}
	var lanes [4]uint64
	sums.Store(&lanes)
	archsimd.ClearAVXUpperBits()
	return 32 * len(of), int(lanes[0] + lanes[1] + lanes[2] + lanes[3])
}

func mixVectors(dst, upper, lower []uint8, weight uint16) int {
	if !vectors {
		return 0
	}
	w := archsimd.BroadcastUint16x16(weight)
	even, half, eight := archsimd.BroadcastUint16x16(0x00ff), archsimd.BroadcastUint16x16(One/2), archsimd.BroadcastUint16x16(1<<(16-8))
	more := func(u, l archsimd.Uint16x16) archsimd.Uint16x16 { // than u, in units of 1/One and modulo One, as are sums of bytes
		return l.Sub(u).Mul(w).Add(half)
	}
	uppers := blocks[[32]uint8](upper)
	lowers, to := blocks[[32]uint8](lower)[:len(uppers)], blocks[[32]uint8](dst)[:len(uppers)]
	for i := range uppers {
		bytes := archsimd.LoadUint8x32(&uppers[i])
		u, l := bytes.AsUint16x16(), archsimd.LoadUint8x32(&lowers[i]).AsUint16x16()
		more0 := more(u.And(even), l.And(even)).MulHigh(eight) // a shift
		more1 := more(u.MulHigh(eight), l.MulHigh(eight)).AndNot(even)
		bytes.Add(more0.Or(more1).AsUint8x32()).Store(&to[i])
	}
	archsimd.ClearAVXUpperBits()
	return 32 * len(uppers)
}

func weighVectors(sum []uint16, near, far []uint8) int {
	if !vectors {
		return 0
	}
	i := 0
	for ; i+16 <= len(sum); i += 16 {
		n := extend16(near[i:])
		n.Add(n).Add(n).Add(extend16(far[i:])).AsUint16x16().Store((*[16]uint16)(sum[i:]))
	}
	archsimd.ClearAVXUpperBits()
	return i
}

// doubleVectors leaves the first pixel out.
func doubleVectors(dst []uint8, sum []uint16) int {
	if !vectors {
		return 0
	}
	seven, eight, four := archsimd.BroadcastUint16x16(7), archsimd.BroadcastUint16x16(8), archsimd.BroadcastUint16x16(1<<(16-4))
	load := func(i int) archsimd.Uint16x16 { return archsimd.LoadUint16x16((*[16]uint16)(sum[i:])) }
	i := 0
	for ; i+17 <= len(sum); i += 16 {
		this, next := load(i), load(i+1)
		odd := this.Add(this).Add(this).Add(next).Add(seven).MulHigh(four) // a shift
		even := next.Add(next).Add(next).Add(this).Add(eight).MulHigh(four)
		odd.Or(even.ShiftAllLeft(8)).AsUint8x32().Store((*[32]uint8)(dst[2*i+1:]))
	}
	archsimd.ClearAVXUpperBits()
	return i
}

var (
	// Eight pixels of a lane, red and green in 16 bits, and blue in 16 bits, to 24 bytes of RGB. Of the lower lane the first 16 and
	// of the upper the last 16 bytes are the outer ones; the other eight go to the lower and the upper half of the inner ones.
	outerRedGreen = [32]int8{
		0, 1, zero, 2, 3, zero, 4, 5, zero, 6, 7, zero, 8, 9, zero, 10,
		zero, 6, 7, zero, 8, 9, zero, 10, 11, zero, 12, 13, zero, 14, 15, zero,
	}
	outerBlue = [32]int8{
		zero, zero, 0, zero, zero, 2, zero, zero, 4, zero, zero, 6, zero, zero, 8, zero,
		4, zero, zero, 6, zero, zero, 8, zero, zero, 10, zero, zero, 12, zero, zero, 14,
	}
	innerRedGreen = [32]int8{
		11, zero, 12, 13, zero, 14, 15, zero, zero, zero, zero, zero, zero, zero, zero, zero,
		zero, zero, zero, zero, zero, zero, zero, zero, 0, 1, zero, 2, 3, zero, 4, 5,
	}
	innerBlue = [32]int8{
		zero, 10, zero, zero, 12, zero, zero, 14, zero, zero, zero, zero, zero, zero, zero, zero,
		zero, zero, zero, zero, zero, zero, zero, zero, zero, zero, 0, zero, zero, 2, zero, zero,
	}
)

// rgbVectors works in 16 bits: each factor is split in a whole part and one below a half, rounded products of which are
// (2u*factor>>16 + 1) >> 1.
func rgbVectors(dst, luma, cb, cr []uint8) int {
	if !vectors {
		return 0
	}
	center, one := archsimd.BroadcastInt16x16(128), archsimd.BroadcastInt16x16(1)
	black, white := archsimd.BroadcastInt16x16(0), archsimd.BroadcastInt16x16(255)
	ofRed, ofBlue := archsimd.BroadcastInt16x16(91881-1<<16), archsimd.BroadcastInt16x16(116130-2<<16)
	uOfGreen, vOfGreen := int32(-22554), int32(-46802+1<<16)
	ofGreen := archsimd.BroadcastInt32x8(uOfGreen&0xffff | vOfGreen<<16).AsInt16x16()
	half := archsimd.BroadcastInt32x8(1 << 15)
	outerRG, outerB := archsimd.LoadInt8x32(&outerRedGreen), archsimd.LoadInt8x32(&outerBlue)
	innerRG, innerB := archsimd.LoadInt8x32(&innerRedGreen), archsimd.LoadInt8x32(&innerBlue)
	x := 0
	for ; x+16 <= len(luma); x += 16 {
		y, u, v := extend16(luma[x:]), extend16(cb[x:]).Sub(center), extend16(cr[x:]).Sub(center)
		u2, v2 := u.Add(u), v.Add(v)
		r := y.Add(v).Add(v2.MulHigh(ofRed).Add(one).ShiftAllRight(1))
		b := y.Add(u2).Add(u2.MulHigh(ofBlue).Add(one).ShiftAllRight(1))
		lo := u.InterleaveLoGrouped(v).DotProductPairs(ofGreen).Add(half).ShiftAllRight(16)
		hi := u.InterleaveHiGrouped(v).DotProductPairs(ofGreen).Add(half).ShiftAllRight(16)
		g := y.Sub(v).Add(lo.SaturateToInt16ConcatGrouped(hi))
		rg := r.Max(black).Min(white).Or(g.Max(black).Min(white).ShiftAllLeft(8)).AsUint8x32()
		bb := b.Max(black).Min(white).AsUint8x32()
		outer := rg.PermuteOrZeroGrouped(outerRG).Or(bb.PermuteOrZeroGrouped(outerB))
		inner := rg.PermuteOrZeroGrouped(innerRG).Or(bb.PermuteOrZeroGrouped(innerB))
		d := dst[3*x:][:48]
		outer.GetLo().Store((*[16]uint8)(d))
		inner.GetLo().Or(inner.GetHi()).Store((*[16]uint8)(d[16:]))
		outer.GetHi().Store((*[16]uint8)(d[32:]))
	}
	archsimd.ClearAVXUpperBits()
	return x
}
