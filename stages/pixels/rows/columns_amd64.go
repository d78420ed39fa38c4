//go:build amd64 && goexperiment.simd

package rows

import (
	"encoding/binary"
	"simd/archsimd"
	"unsafe"
)

// columnVectors are the output pixels by eights.
type columnVectors struct {
	eights []eightColumns
	apart  []uint8 // memory for the neighbors of every output pixel, eight bytes each, where those of two lie too far from each other
}

// eightColumns are read as four pairs of output pixels, with all that a pair is mixed of in 16 bytes.
type eightColumns struct {
	at [4]int // the bytes where the pairs begin
	// Of the pairs 0 and 2, and of 1 and 3, a lane each and 16 bits a number: red of both neighbors of the first pixel, then of the second,
	// then green; and blue.
	redGreen, blue [2][32]int8
}

func (c *Columns) newVectors() (v columnVectors) {
	if !vectors {
		return v
	}
	at := func(x int) int { return c.at[x] }
	for x := 1; x < len(c.at); x += 2 {
		if c.at[x]-c.at[x-1] > 16-6 {
			v.apart = make([]uint8, 8*len(c.at)+Slack)
			at = func(x int) int { return 8 * x }
			break
		}
	}
	v.eights = make([]eightColumns, len(c.at)/8)
	for i := range v.eights {
		e := &v.eights[i]
		for pair := range e.at {
			x := 8*i + 2*pair
			e.at[pair] = at(x)
			second := int8(at(x+1) - at(x)) //nolint:gosec // at most 10
			redGreen, blue := e.redGreen[pair%2][16*(pair/2):][:16], e.blue[pair%2][16*(pair/2):][:16]
			for j, from := range [4]int8{0, 3, second, second + 3} {
				redGreen[2*j], redGreen[2*j+1] = from, zero
				redGreen[2*j+8], redGreen[2*j+9] = from+1, zero
				blue[2*j], blue[2*j+1] = from+2, zero
				blue[2*j+8], blue[2*j+9] = zero, zero
			}
		}
	}
	return v
}

func (c *Columns) blendVectors(red, green, blue []float32, row []uint8, gain, bias [3]float32) int {
	eights := c.vectors.eights
	if !vectors || len(eights) == 0 {
		return 0
	}
	if apart := c.vectors.apart; apart != nil {
		for x, at := range c.at {
			binary.LittleEndian.PutUint64(apart[8*x:], binary.LittleEndian.Uint64(row[at:at+8:at+8]))
		}
		row = apart
	}
	last := &eights[len(eights)-1]
	first := unsafe.Pointer(&row[:last.at[3]+Slack][0]) // all that is read is before that end
	load := func(lower, upper int) archsimd.Uint8x32 {
		return archsimd.LoadUint8x32((*[32]uint8)(unsafe.Add(first, lower))).SetHi(archsimd.LoadUint8x16((*[16]uint8)(unsafe.Add(first, upper))))
	}
	mix := func(v archsimd.Uint64x4, two archsimd.Int16x16, gain, bias archsimd.Float32x8) archsimd.Float32x8 {
		return v.AsInt16x16().DotProductPairs(two).ConvertToFloat32().Mul(gain).Add(bias)
	}
	redGain, greenGain, blueGain := archsimd.BroadcastFloat32x8(gain[0]), archsimd.BroadcastFloat32x8(gain[1]), archsimd.BroadcastFloat32x8(gain[2])
	redBias, greenBias, blueBias := archsimd.BroadcastFloat32x8(bias[0]), archsimd.BroadcastFloat32x8(bias[1]), archsimd.BroadcastFloat32x8(bias[2])
	weights := blocks[[8]uint32](c.weights)[:len(eights)]
	reds, greens, blues := blocks[[8]float32](red)[:len(eights)], blocks[[8]float32](green)[:len(eights)], blocks[[8]float32](blue)[:len(eights)]
	for i := range eights {
		e := &eights[i]
		v0, v1 := load(e.at[0], e.at[2]), load(e.at[1], e.at[3])
		rg0 := v0.PermuteOrZeroGrouped(archsimd.LoadInt8x32(&e.redGreen[0])).AsUint64x4()
		rg1 := v1.PermuteOrZeroGrouped(archsimd.LoadInt8x32(&e.redGreen[1])).AsUint64x4()
		b0 := v0.PermuteOrZeroGrouped(archsimd.LoadInt8x32(&e.blue[0])).AsUint64x4()
		b1 := v1.PermuteOrZeroGrouped(archsimd.LoadInt8x32(&e.blue[1])).AsUint64x4()
		two := archsimd.LoadUint32x8(&weights[i]).AsInt16x16()
		mix(rg0.InterleaveLoGrouped(rg1), two, redGain, redBias).Store(&reds[i])
		mix(rg0.InterleaveHiGrouped(rg1), two, greenGain, greenBias).Store(&greens[i])
		mix(b0.InterleaveLoGrouped(b1), two, blueGain, blueBias).Store(&blues[i])
	}
	archsimd.ClearAVXUpperBits()
	return 8 * len(eights)
}
