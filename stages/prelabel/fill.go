package prelabel

import (
	"encoding/binary"

	"gleaner/stages/pixels"
)

// fill resizes img to w by h pixels into the top left corner of the input tensor dst, [3, dstH, dstW] in the order blue,
// green, red, multiplies by gain, and writes pad (which gain does not touch) around it. Resizing is bilinear between pixel
// centers with the border repeated, like OpenCV's INTER_LINEAR, within one level of 255.
//
// Each output row is first mixed of two source rows, eight bytes at once, then resized sideways, three channels at once.
func fill(dst []float32, dstW, dstH int, img *pixels.Image, w, h int, gain, pad float32) {
	xs, ys := taps(w, img.W), taps(h, img.H)
	stride, plane := 3*img.W, dstW*dstH
	mixed := make([]byte, stride+8) // 8 more, so that a pixel and the next can be read at once anywhere
	for y, t := range ys {
		upper := img.Pix[stride*t.at:][:stride]
		lower := upper
		if t.at+1 < img.H {
			lower = img.Pix[stride*(t.at+1):][:stride]
		}
		mix(mixed, upper, lower, t.weight)
		at := y * dstW
		blue, green, red := dst[at:][:dstW], dst[plane+at:][:dstW], dst[2*plane+at:][:dstW]
		sideways(blue, green, red, mixed, xs, gain/one)
		set(blue[w:], pad)
		set(green[w:], pad)
		set(red[w:], pad)
	}
	for c := range 3 {
		set(dst[c*plane+h*dstW:(c+1)*plane], pad)
	}
}

// one is the fixed-point unit of weights: a level of 8 bits times it fits in 16 bits.
const one = 1 << 8

// tap says that an output pixel is one-weight parts of source pixel at and weight parts of the next; at the end of a line,
// where there is none, weight is 0.
type tap struct {
	at     int
	weight uint64
}

// taps places n output pixels over size source pixels.
func taps(n, size int) []tap {
	out := make([]tap, n)
	step := float64(size) / float64(n)
	for i := range out {
		x := min(max((float64(i)+0.5)*step-0.5, 0), float64(size-1))
		at := int(x)
		out[i] = tap{at, uint64((x-float64(at))*one + 0.5)}
	}
	return out
}

// mix writes (one-weight)*upper + weight*lower in units of one, rounded, to dst, which is no shorter than they are. Four
// bytes at once are worked on in the 16-bit lanes of a word; differences may borrow from the next lane, but each lane of
// the sum is what it should be, since arithmetic on words is exact modulo 2^64 and no lane's sum overflows.
func mix(dst, upper, lower []byte, weight uint64) {
	const even, half = 0x00ff00ff00ff00ff, 0x0080008000800080
	i := 0
	for ; i+8 <= len(upper); i += 8 {
		u, l := binary.LittleEndian.Uint64(upper[i:]), binary.LittleEndian.Uint64(lower[i:])
		u0, u1 := u&even, u>>8&even
		sum0 := u0<<8 + (l&even-u0)*weight + half
		sum1 := u1<<8 + (l>>8&even-u1)*weight + half
		binary.LittleEndian.PutUint64(dst[i:], sum0>>8&even|sum1&^even)
	}
	for ; i < len(upper); i++ {
		u, l := uint64(upper[i]), uint64(lower[i])
		dst[i] = byte((u*(one-weight) + l*weight + one/2) >> 8)
	}
}

// sideways resizes a row of RGB pixels into a row of each channel, times gain.
func sideways(blue, green, red []float32, row []byte, xs []tap, gain float32) {
	n := len(xs)
	blue, green, red = blue[:n], green[:n], red[:n]
	for i, t := range xs {
		two := binary.LittleEndian.Uint64(row[3*t.at:]) // this pixel and the next, a byte a channel
		p := spread(two)
		p = p<<8 + (spread(two>>24)-p)*t.weight // lanes as in mix
		red[i] = float32(int32(p&0xffff)) * gain
		blue[i] = float32(int32(p>>16&0xffff)) * gain
		green[i] = float32(int32(p>>32)) * gain
	}
}

// spread sets the three low bytes of v, red, green and blue, 16 bits apart: red, blue, green.
func spread(v uint64) uint64 { return v&0xff00ff | v&0xff00<<24 }

func set(s []float32, v float32) {
	for i := range s {
		s[i] = v
	}
}
