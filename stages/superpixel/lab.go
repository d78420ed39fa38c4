package superpixel

// What k-means sees of an image: 8-bit CIELAB with four bits more, by tables.

import (
	"math"
	"sync"
)

// labScale is how many steps one unit of 8-bit Lab has. L of 0..100 is spread over 0..255, a and b are shifted by 128, as in
// OpenCV's 8-bit Lab, so that every plane lies in [0, 255*labScale].
const labScale = 16

// pad is how many columns a row of a plane has beyond the image at least, so that a vector may pass the end of a row.
const pad = 32

// field is an image in CIELAB (D65).
type field struct {
	w, h, stride int      // stride >= w+pad
	l, a, b      []int16  // [h*stride] in steps of 1/labScale; what lies beyond w is undefined
	sums         []uint64 // [h*(w+1)] sums of packed colors left of each column, of each row by itself, modulo 2^64
}

// A packed color is l | a<<fieldBits | b<<2*fieldBits. The difference of two sums of a row is exact for up to maxRun pixels.
const (
	fieldBits = 21
	fieldMask = 1<<fieldBits - 1
	maxRun    = fieldMask / (255 * labScale)
)

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
		t.root[i] = uint16(math.Round(v * (1 << 12)))
	}
	return t
})

// convert fills rows y0 to y1 of the field from [h,w,3] RGB: CIELAB, each pixel weighed with its 3x3 surroundings binomially
// (1 2 1), the border repeated. That takes the grain off, which would else scatter the clusters over thousands of specks.
func (f *field) convert(k kernel, pix []uint8, y0, y1 int) {
	n := f.w + 2*pad
	buf := make([]int16, 10*n)
	rows := [3]labRow{}
	for i := range rows {
		r := buf[3*n*i:]
		rows[i] = labRow{r[:n], r[n : 2*n], r[2*n : 3*n]}
	}
	sum := buf[9*n:]
	other := make([]uint64, f.w+1) // the sums of rows that are not ours
	read := func(y int) {
		sums := other
		if y >= y0 && y < y1 {
			sums = f.sums[(f.w+1)*y:][:f.w+1]
		}
		f.read(pix, y, rows[y%3], sums)
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
		k.smooth(above.l, row.l, below.l, sum, f.l[i:], f.w)
		k.smooth(above.a, row.a, below.a, sum, f.a[i:], f.w)
		k.smooth(above.b, row.b, below.b, sum, f.b[i:], f.w)
	}
}

// labRow is a row of each plane.
type labRow struct{ l, a, b []int16 }

// read converts a row, and adds up its colors.
func (f *field) read(pix []uint8, y int, to labRow, sums []uint64) {
	t := tables()
	p := pix[3*f.w*y:][:3*f.w]
	l, a, b := to.l[:f.w], to.a[:f.w], to.b[:f.w]
	sum := uint64(0)
	sums[0] = 0
	sums = sums[1 : f.w+1]
	for x := range l {
		p := p[3*x : 3*x+3 : 3*x+3]
		v := t.xyz[0][p[0]] + t.xyz[1][p[1]] + t.xyz[2][p[2]]
		const drop = xyzBits - rootBits
		fx := int32(t.root[v>>drop&(1<<(rootBits+1)-1)])
		fy := int32(t.root[v>>(fieldBits+drop)&(1<<(rootBits+1)-1)])
		fz := int32(t.root[v>>(2*fieldBits+drop)&(1<<(rootBits+1)-1)])
		vl := (fy*(116*labScale*255/100)+1<<11)>>12 - 16*labScale*255/100
		va := (500*labScale*(fx-fy)+1<<11)>>12 + 128*labScale
		vb := (200*labScale*(fy-fz)+1<<11)>>12 + 128*labScale
		l[x], a[x], b[x] = int16(vl), int16(va), int16(vb)
		sum += uint64(vl) + uint64(va)<<fieldBits + uint64(vb)<<(2*fieldBits)
		sums[x] = sum
	}
}
