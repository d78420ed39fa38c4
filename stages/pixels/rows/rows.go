// Package rows holds the inner loops over rows of pixels that decoding, measuring and detecting run. Each is plain Go; where
// the build (GOEXPERIMENT=simd) and the processor have vectors, these do a row's beginning, with the same results bit by bit,
// and plain Go the rest.
package rows

import "encoding/binary"

// lumaOf holds what each value of red, green and blue adds to luma, in units of 2^-16, and rounding. Looking these up takes a
// third less time than multiplying.
var lumaOf = func() (t [3][256]uint32) {
	for v := range uint32(256) {
		t[0][v], t[1][v], t[2][v] = lumaRed*v, lumaGreen*v, lumaBlue*v+1<<15
	}
	return t
}()

// The weights of BT.601, in units of 2^-16.
const (
	lumaRed   = 19595
	lumaGreen = 38470
	lumaBlue  = 7471
)

// Luma writes the BT.601 full-range luma, 0.299 R + 0.587 G + 0.114 B rounded, of len(dst) pixels of RGB.
func Luma(dst, rgb []uint8) {
	red, green, blue := &lumaOf[0], &lumaOf[1], &lumaOf[2]
	done := lumaVectors(dst, rgb)
	dst, rgb = dst[done:], rgb[3*done:]
	for i := range dst {
		s := rgb[3*i : 3*i+3 : 3*i+3]
		dst[i] = uint8((red[s[0]] + green[s[1]] + blue[s[2]]) >> 16)
	}
}

// AddWeighted adds upper times each element of above and lower times each of below, a row as long, to sum, modulo 2^32. Weights
// are below 2^15.
func AddWeighted(sum []uint32, above, below []uint8, upper, lower uint32) {
	done := addWeightedVectors(sum, above, below, upper, lower)
	above = above[done:]
	below, sum = below[done:][:len(above)], sum[done:][:len(above)]
	for i, v := range above {
		sum[i] += upper*uint32(v) + lower*uint32(below[i])
	}
}

// Laplacian adds up the 4-neighbor Laplacian (0 1 0, 1 -4 1, 0 1 0) of a row, and its squares, but for the row's two ends.
func Laplacian(above, row, below []uint8) (sum, squares int) {
	if len(row) < 3 {
		return 0, 0
	}
	done, sum, squares := laplacianVectors(above, row, below)
	row = row[done:]
	above, below = above[done:][:len(row)], below[done:][:len(row)]
	left, here := int(row[0]), int(row[1])
	for x := 2; x < len(row); x++ {
		right := int(row[x])
		l := int(above[x-1]) + int(below[x-1]) + left + right - 4*here
		sum += l
		squares += l * l
		left, here = here, right
	}
	return sum, squares
}

// Levels are moments and tails of levels.
type Levels struct {
	Sum, Squares int
	Low, High    int // how many are at most, and at least, the limits asked about
}

// Add takes in the levels of a row.
func (s *Levels) Add(row []uint8, low, high uint8) {
	var sum, squares, lows, highs int
	for _, v := range row[s.addVectors(row, low, high):] {
		sum += int(v)
		squares += int(v) * int(v)
		if v <= low {
			lows++
		}
		if v >= high {
			highs++
		}
	}
	s.Sum, s.Squares, s.Low, s.High = s.Sum+sum, s.Squares+squares, s.Low+lows, s.High+highs
}

// Difference is the sum of the absolute differences of two rows, of which b is no shorter.
func Difference(a, b []uint8) int {
	done, sum := differenceVectors(a, b)
	b = b[:len(a)]
	for i := done; i < len(a); i++ {
		d := int(a[i]) - int(b[i])
		sum += max(d, -d)
	}
	return sum
}

// One is the fixed-point unit of weights of two: a level of 8 bits times it fits in 16 bits.
const One = 1 << 8

// Mix writes (One-weight)*upper + weight*lower in units of One, rounded, to dst, which is no shorter than they are. Eight
// bytes at once are worked on in the 16-bit lanes of two words; differences may borrow from the next lane, but each lane of
// the sum is what it should be, since arithmetic on words is exact modulo 2^64 and no lane's sum overflows.
func Mix(dst, upper, lower []uint8, weight uint16) {
	const even, half = 0x00ff00ff00ff00ff, 0x0080008000800080
	lower = lower[:len(upper)]
	i, w := mixVectors(dst, upper, lower, weight), uint64(weight)
	for ; i+8 <= len(upper); i += 8 {
		u, l := binary.LittleEndian.Uint64(upper[i:]), binary.LittleEndian.Uint64(lower[i:])
		u0, u1 := u&even, u>>8&even
		sum0 := u0<<8 + (l&even-u0)*w + half
		sum1 := u1<<8 + (l>>8&even-u1)*w + half
		binary.LittleEndian.PutUint64(dst[i:], sum0>>8&even|sum1&^even)
	}
	for ; i < len(upper); i++ {
		u, l := uint64(upper[i]), uint64(lower[i])
		dst[i] = byte((u*(One-w) + l*w + One/2) >> 8)
	}
}

// Double widens a row by 2 after weighing it three to one with its farther neighbor row: libjpeg's triangle filter, with its
// rounding. sum is memory for len(near) elements; dst has twice as many.
func Double(dst, near, far []uint8, sum []uint16) {
	n := len(near)
	dst, far, sum = dst[:2*n], far[:n], sum[:n]
	for i := weighVectors(sum, near, far); i < n; i++ {
		sum[i] = 3*uint16(near[i]) + uint16(far[i])
	}
	dst[0], dst[2*n-1] = uint8((4*sum[0]+8)>>4), uint8((4*sum[n-1]+7)>>4)
	done := doubleVectors(dst, sum)
	d, last := dst[2*done+1:2*n-1], sum[done]
	for i, this := range sum[done+1:] {
		d[2*i], d[2*i+1] = uint8((3*last+this+7)>>4), uint8((3*this+last+8)>>4)
		last = this
	}
}

// RGB converts a row of full-range YCbCr with the JFIF matrix in libjpeg's 16-bit fixed point.
func RGB(dst, luma, cb, cr []uint8) {
	done := rgbVectors(dst, luma, cb, cr)
	luma = luma[done:]
	cb, cr, dst = cb[done:][:len(luma)], cr[done:][:len(luma)], dst[3*done:][:3*len(luma)]
	for x, l := range luma {
		y, u, v := int32(l), int32(cb[x])-128, int32(cr[x])-128
		r := y + (91881*v+1<<15)>>16
		g := y + (-22554*u-46802*v+1<<15)>>16
		b := y + (116130*u+1<<15)>>16
		if uint32(r|g|b) > 255 {
			r, g, b = max(0, min(255, r)), max(0, min(255, g)), max(0, min(255, b))
		}
		p := dst[3*x : 3*x+3 : 3*x+3]
		p[0], p[1], p[2] = uint8(r), uint8(g), uint8(b)
	}
}
