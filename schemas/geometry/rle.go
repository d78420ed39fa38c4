package geometry

import "fmt"

// RLE is a binary mask in COCO's run-length encoding: pixels are taken column by column, from the left, each column from
// the top; Counts are the lengths of runs that are off, on, off, …, so the first is 0 for a mask whose first pixel is on.
// The counts sum to W*H.
type RLE struct {
	W, H   int
	Counts []uint32
}

// EncodeRLE encodes a mask.
//
// mask: [h*w] row-major; it panics when the length is another.
func EncodeRLE(mask []bool, w, h int) RLE {
	if len(mask) != w*h {
		panic(fmt.Sprintf("geometry: mask of %d pixels for %dx%d", len(mask), w, h))
	}
	r := RLE{W: w, H: h}
	on, run := false, uint32(0)
	for x := range w {
		for y := range h {
			if mask[y*w+x] != on {
				r.Counts = append(r.Counts, run)
				on, run = !on, 0
			}
			run++
		}
	}
	r.Counts = append(r.Counts, run)
	return r
}

// Validate refuses counts that do not fill the image.
func (r RLE) Validate() error {
	if r.W < 0 || r.H < 0 {
		return fmt.Errorf("mask of %dx%d pixels", r.W, r.H)
	}
	sum := uint64(0)
	for _, n := range r.Counts {
		sum += uint64(n)
	}
	if sum != uint64(r.W)*uint64(r.H) {
		return fmt.Errorf("mask of %d pixels in an image of %dx%d", sum, r.W, r.H)
	}
	return nil
}

// Mask is the mask of a valid RLE, [H*W] row-major.
func (r RLE) Mask() []bool {
	mask := make([]bool, r.W*r.H)
	r.runs(func(x, y0, y1 int) {
		for y := y0; y < y1; y++ {
			mask[y*r.W+x] = true
		}
	})
	return mask
}

// Area is the number of pixels that are on.
func (r RLE) Area() int {
	area := 0
	for i := 1; i < len(r.Counts); i += 2 {
		area += int(r.Counts[i])
	}
	return area
}

// Box is the smallest box around the pixels of a valid RLE that are on, the zero Box if there are none.
func (r RLE) Box() Box {
	var b Box
	r.runs(func(x, y0, y1 int) {
		run := Box{float32(x), float32(y0), float32(x + 1), float32(y1)}
		if b.Empty() {
			b = run
			return
		}
		b = Box{min(b.X1, run.X1), min(b.Y1, run.Y1), max(b.X2, run.X2), max(b.Y2, run.Y2)}
	})
	return b
}

// runs calls f for every part of a column that is on.
func (r RLE) runs(f func(x, y0, y1 int)) {
	at := 0
	for i, n := range r.Counts {
		end := at + int(n)
		for i%2 == 1 && at < end {
			x, y := at/r.H, at%r.H
			to := min(r.H, y+end-at)
			f(x, y, to)
			at += to - y
		}
		at = end
	}
}

// String is COCO's compressed form: each count, less the one two before it from the fourth on, as groups of five bits from
// the lowest, in characters from '0' on, with bit 5 set when more follow.
func (r RLE) String() string {
	s := make([]byte, 0, 2*len(r.Counts))
	for i, n := range r.Counts {
		v := int64(n)
		if i > 2 {
			v -= int64(r.Counts[i-2])
		}
		for more := true; more; {
			group := byte(v & 0x1f)
			v >>= 5
			more = v != 0
			if group&0x10 != 0 { // the sign of what is left
				more = v != -1
			}
			if more {
				group |= 0x20
			}
			s = append(s, group+48)
		}
	}
	return string(s)
}

// ParseRLE reads what String writes, for an image of w by h pixels.
func ParseRLE(s string, w, h int) (RLE, error) {
	r := RLE{W: w, H: h}
	for at := 0; at < len(s); {
		v, shift := int64(0), 0
		for more := true; more; shift += 5 {
			if at == len(s) || shift > 35 || s[at] < 48 || s[at] > 48+0x3f {
				return RLE{}, fmt.Errorf("compressed mask: byte %d of %d is not part of a count", at, len(s))
			}
			group := int64(s[at] - 48)
			at++
			v |= group & 0x1f << shift
			more = group&0x20 != 0
			if !more && group&0x10 != 0 {
				v |= -1 << (shift + 5)
			}
		}
		if n := len(r.Counts); n > 2 {
			v += int64(r.Counts[n-2])
		}
		if v < 0 || v > int64(w)*int64(h) {
			return RLE{}, fmt.Errorf("compressed mask: run of %d pixels in an image of %dx%d", v, w, h)
		}
		r.Counts = append(r.Counts, uint32(v))
	}
	if err := r.Validate(); err != nil {
		return RLE{}, fmt.Errorf("compressed mask: %w", err)
	}
	return r, nil
}
