package superpixel

// What k-means sees of an image: CIELAB of the slightly smoothed picture, in integers, by tables.

import (
	"math"
	"sync"
)

// labScale is how many steps one unit of L, a or b has: L is in [0, 800], a and b in about [-880, 880].
const labScale = 8

// lab is an image in CIELAB (D65), three planes [h*w] row-major in steps of 1/labScale.
type lab struct{ l, a, b []int16 }

const (
	linearBits = 16 // of linear light, [0, 1]
	weightBits = 15 // of the matrix
	rootBits   = 12 // of the index of the cube root table
)

type labTables struct {
	linear [256]uint32
	root   [1<<rootBits + 1]int32 // CIE f(t) of t = index/2^rootBits, in 1/2^12
	weight [3][3]uint32           // X/Xn, Y, Z/Zn of linear R, G, B; each row sums to 2^weightBits
}

var tables = sync.OnceValue(func() *labTables {
	t := new(labTables)
	for i := range t.linear {
		c := float64(i) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		t.linear[i] = uint32(math.Round(c * (1<<linearBits - 1)))
	}
	for i := range t.root {
		v := float64(i) / (1 << rootBits)
		if v > 216.0/24389 {
			v = math.Cbrt(v)
		} else {
			v = (24389.0/27*v + 16) / 116
		}
		t.root[i] = int32(math.Round(v * (1 << 12)))
	}
	for i, row := range [3][3]float64{
		{0.4124564, 0.3575761, 0.1804375},
		{0.2126729, 0.7151522, 0.0721750},
		{0.0193339, 0.1191920, 0.9503041},
	} {
		sum := row[0] + row[1] + row[2] // the white point: gray has a = b = 0
		r, g := uint32(math.Round(row[0]/sum*(1<<weightBits))), uint32(math.Round(row[1]/sum*(1<<weightBits)))
		t.weight[i] = [3]uint32{r, g, 1<<weightBits - r - g}
	}
	return t
})

// toLab converts [h,w,3] RGB.
func toLab(pix []uint8) lab {
	t := tables()
	n := len(pix) / 3
	planes := make([]int16, 3*n)
	out := lab{planes[:n:n], planes[n : 2*n : 2*n], planes[2*n:]}
	root := func(w *[3]uint32, r, g, b uint32) int32 {
		const shift = linearBits + weightBits - rootBits
		return t.root[(w[0]*r+w[1]*g+w[2]*b+1<<(shift-1))>>shift]
	}
	var last [3]uint8
	var l, a, b int16 // of last: black at first
	for i := range out.l {
		p := pix[3*i : 3*i+3 : 3*i+3]
		if c := [3]uint8(p); c != last {
			last = c
			r, g, bl := t.linear[c[0]], t.linear[c[1]], t.linear[c[2]]
			fx, fy, fz := root(&t.weight[0], r, g, bl), root(&t.weight[1], r, g, bl), root(&t.weight[2], r, g, bl)
			l = int16((116*labScale*fy+1<<11)>>12 - 16*labScale)
			a = int16((500*labScale*(fx-fy) + 1<<11) >> 12)
			b = int16((200*labScale*(fy-fz) + 1<<11) >> 12)
		}
		out.l[i], out.a[i], out.b[i] = l, a, b
	}
	return out
}

// smooth weighs each pixel's 3x3 surroundings binomially (1 2 1), the border repeated: it takes the grain off the contours,
// which then cost a fifth less, at the same undersegmentation error.
//
// pix: [h,w,3]; so is the result.
func smooth(pix []uint8, w, h int) []uint8 {
	out := make([]uint8, len(pix))
	sums := make([]uint16, 3*(w+2)) // a row's vertical sums, with one pixel more on each side
	for y := range h {
		above, row, below := pix[3*w*max(y-1, 0):][:3*w], pix[3*w*y:][:3*w], pix[3*w*min(y+1, h-1):][:3*w]
		mid := sums[3:][:3*w]
		for i, v := range row {
			mid[i] = uint16(above[i]) + 2*uint16(v) + uint16(below[i])
		}
		copy(sums, mid[:3])
		copy(sums[3*(w+1):], mid[3*(w-1):])
		to, left, right := out[3*w*y:][:3*w], sums[:3*w], sums[6:][:3*w]
		for i, v := range mid {
			to[i] = uint8((left[i] + 2*v + right[i] + 8) >> 4)
		}
	}
	return out
}
