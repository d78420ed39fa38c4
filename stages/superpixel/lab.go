package superpixel

// What k-means sees of an image: 8-bit CIELAB with four bits more, by tables.

import (
	"math"
	"sync"
)

// labScale is how many steps one unit of 8-bit Lab has. L of 0..100 is spread over 0..127.5, near its weight in CIELAB: spread
// over 0..255, as in other 8-bit Labs, shading outweighs color. a and b are shifted by 128, so that every plane lies in
// [0, 255*labScale].
const labScale = 16

// pad is how many columns a row of a plane has beyond the image at least, so that a vector may pass the end of a row.
const pad = 32

// field is an image in CIELAB (D65).
type field struct {
	w, h, stride int      // stride >= w+pad
	l, a, b      []int16  // [h*stride] in steps of 1/labScale; what lies beyond w is undefined
	sums         []uint64 // [h*(w+1)] sums of packed roots left of each column, of each row by itself, modulo 2^64
}

// Lab is linear in the roots f(X/Xn), f(Y/Yn) and f(Z/Zn) of CIE 1976, in 1/rootOne here. They are summed up packed, x | y<<fieldBits
// | z<<2*fieldBits; the difference of two sums of a row is exact for up to maxRun pixels.
const (
	rootOne   = 1 << 12
	fieldBits = 21
	fieldMask = 1<<fieldBits - 1
	maxRun    = fieldMask / rootOne
)

// Factors of rounded products: the upper 16 bits of a root times 8, or a difference of roots times 16 or 8, times the factor.
const (
	lFactor = 116 * 255 * labScale / 200 * (1 << 16) / (8 * rootOne)
	aFactor = 500 * labScale * (1 << 16) / (16 * rootOne)
	bFactor = 200 * labScale * (1 << 16) / (8 * rootOne)
	lBlack  = 16 * 255 * labScale / 200
	abZero  = 128 * labScale
)

// labOf is the color of three roots.
func labOf(x, y, z int32) (l, a, b int16) {
	return int16(8*y*lFactor>>16 - lBlack), int16(16*(x-y)*aFactor>>16 + abZero), int16(8*(y-z)*bFactor>>16 + abZero)
}

const (
	xyzBits  = 20 // of X/Xn, Y and Z/Zn, each in a field of fieldBits
	rootBits = 12 // of the index of the cube root table
)

type labTables struct {
	xyz  [3][256]uint64        // by channel: what its value adds to the packed X/Xn, Y, Z/Zn
	root [2 << rootBits]uint16 // CIE f(t) of t = index/2^rootBits, in 1/2^12
}

var tables = sync.OnceValue(func() *labTables {
	t := new(labTables)
	matrix := [3][3]float64{ // rows X, Y, Z of linear R, G, B
		{0.4124564, 0.3575761, 0.1804375},
		{0.2126729, 0.7151522, 0.0721750},
		{0.0193339, 0.1191920, 0.9503041},
	}
	for channel := range t.xyz {
		for v := range t.xyz[channel] {
			c := float64(v) / 255
			if c <= 0.04045 {
				c /= 12.92
			} else {
				c = math.Pow((c+0.055)/1.055, 2.4)
			}
			for i, row := range matrix {
				share := row[channel] / (row[0] + row[1] + row[2]) // of the white point: gray has a = b = 0
				t.xyz[channel][v] |= uint64(math.Round(c*share*(1<<xyzBits))) << (i * fieldBits)
			}
		}
	}
	for i := range t.root {
		v := min(float64(i)/(1<<rootBits), 1) // rounding may pass white
		if v > 216.0/24389 {
			v = math.Cbrt(v)
		} else {
			v = (24389.0/27*v + 16) / 116
		}
		t.root[i] = uint16(min(math.Round(v*rootOne), rootOne-1)) // 16 of them fit in 16 bits
	}
	return t
})

// convert fills rows y0 to y1 of the field from [h,w,3] RGB, a row every step bytes: CIELAB, each pixel weighed with its 3x3 surroundings binomially
// (1 2 1), the border repeated. That takes the grain off, which would else scatter the clusters over thousands of specks.
func (f *field) convert(k kernel, pix []uint8, step, y0, y1 int) {
	n := f.w + 2*pad
	buf := make([]int16, 10*n)
	rows := [3]roots{}
	for i := range rows {
		r := buf[3*n*i:]
		rows[i] = roots{r[:n], r[n : 2*n], r[2*n : 3*n]}
	}
	sum := buf[9*n:]
	other := make([]uint64, f.w+1) // the sums of rows that are not ours
	read := func(y int) {
		sums := other
		if y >= y0 && y < y1 {
			sums = f.sums[(f.w+1)*y:][:f.w+1]
		}
		f.read(pix[step*y:][:3*f.w], rows[y%3], sums)
	}
	for y := max(y0-1, 0); y <= y0; y++ {
		read(y)
	}
	for y := y0; y < y1; y++ {
		if y+1 < f.h {
			read(y + 1)
		}
		above, row, below := &rows[max(y-1, 0)%3], &rows[y%3], &rows[min(y+1, f.h-1)%3]
		i := y * f.stride
		l, a, b := f.l[i:], f.a[i:], f.b[i:]
		k.smooth(above.y, row.y, below.y, sum, l, f.w)
		k.smooth(above.x, row.x, below.x, sum, a, f.w)
		k.smooth(above.z, row.z, below.z, sum, b, f.w)
		k.lab(l, a, b, f.w)
	}
}

// roots are those of a row.
type roots struct{ x, y, z []int16 }

// read takes the roots of a row, and adds them up.
func (f *field) read(row []uint8, to roots, sums []uint64) {
	t := tables()
	px, py, pz := to.x[:f.w], to.y[:f.w], to.z[:f.w]
	sum := uint64(0)
	sums[0] = 0
	sums = sums[1 : f.w+1]
	for i := range px {
		p := row[3*i : 3*i+3 : 3*i+3]
		v := t.xyz[0][p[0]] + t.xyz[1][p[1]] + t.xyz[2][p[2]]
		const drop, mask = xyzBits - rootBits, 2<<rootBits - 1
		x, y, z := t.root[v>>drop&mask], t.root[v>>(fieldBits+drop)&mask], t.root[v>>(2*fieldBits+drop)&mask]
		px[i], py[i], pz[i] = int16(x), int16(y), int16(z)
		sum += uint64(x) | uint64(y)<<fieldBits | uint64(z)<<(2*fieldBits)
		sums[i] = sum
	}
}
