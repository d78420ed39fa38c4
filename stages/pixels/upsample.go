package pixels

// Chroma upsampling by libjpeg's triangle filter ("fancy upsampling"), which OpenCV, Pillow and browsers show: chroma
// samples lie between luma samples, and the nearer one counts three times the farther one. Repeating samples instead
// shifts colors by half a pixel and costs a detector accuracy at small objects.

import (
	"image"

	"gleaner/stages/pixels/rows"
)

// upsampler yields full-width chroma rows of one image, in increasing order of y.
type upsampler struct {
	m      *image.YCbCr
	h, v   int     // chroma subsampling across and down
	cw, ch int     // chroma samples across and down
	cb, cr []uint8 // [W] the row handed out
	sum    []uint16
}

func newUpsampler(m *image.YCbCr) *upsampler {
	u := &upsampler{m: m, h: 1, v: 1}
	switch m.SubsampleRatio {
	case image.YCbCrSubsampleRatio422:
		u.h = 2
	case image.YCbCrSubsampleRatio420:
		u.h, u.v = 2, 2
	case image.YCbCrSubsampleRatio440:
		u.v = 2
	case image.YCbCrSubsampleRatio411:
		u.h = 4
	case image.YCbCrSubsampleRatio410:
		u.h, u.v = 4, 2
	}
	w := m.Rect.Dx()
	u.cw, u.ch = (w+u.h-1)/u.h, (m.Rect.Dy()+u.v-1)/u.v
	n := u.cw*u.h + 1 // the filter writes whole groups
	u.cb, u.cr = make([]uint8, n), make([]uint8, n)
	u.sum = make([]uint16, u.cw)
	return u
}

// row returns Cb and Cr at every pixel of row y; they are valid until the next call.
func (u *upsampler) row(y int) (cb, cr []uint8) {
	w, near := u.m.Rect.Dx(), y/u.v
	b := u.m.Cb[near*u.m.CStride:][:u.cw]
	r := u.m.Cr[near*u.m.CStride:][:u.cw]
	if u.h == 1 && u.v == 1 {
		return b, r
	}
	if u.v == 1 || u.h == 4 {
		expand(u.cb, b, u.h)
		expand(u.cr, r, u.h)
		return u.cb[:w], u.cr[:w]
	}
	far, up := near+1, true
	if y%2 == 0 {
		far, up = near-1, false
	}
	far = max(0, min(u.ch-1, far))
	fb := u.m.Cb[far*u.m.CStride:][:u.cw]
	fr := u.m.Cr[far*u.m.CStride:][:u.cw]
	if u.h == 1 {
		bias := uint16(1)
		if up {
			bias = 2
		}
		for x := range u.cw {
			u.cb[x] = uint8((3*uint16(b[x]) + uint16(fb[x]) + bias) >> 2)
			u.cr[x] = uint8((3*uint16(r[x]) + uint16(fr[x]) + bias) >> 2)
		}
		return u.cb[:w], u.cr[:w]
	}
	rows.Double(u.cb, b, fb, u.sum)
	rows.Double(u.cr, r, fr, u.sum)
	return u.cb[:w], u.cr[:w]
}

// expand widens a row by 2 with the triangle filter, or by 4 by repeating, as libjpeg does.
func expand(dst, src []uint8, by int) {
	n := len(src)
	if by == 4 {
		for i, s := range src {
			dst[4*i], dst[4*i+1], dst[4*i+2], dst[4*i+3] = s, s, s, s
		}
		return
	}
	if n < 2 {
		dst[0], dst[1] = src[0], src[0]
		return
	}
	dst[0], dst[1] = src[0], uint8((3*uint16(src[0])+uint16(src[1])+2)>>2)
	for i := 1; i < n-1; i++ {
		s := 3 * uint16(src[i])
		dst[2*i], dst[2*i+1] = uint8((s+uint16(src[i-1])+1)>>2), uint8((s+uint16(src[i+1])+2)>>2)
	}
	dst[2*n-2], dst[2*n-1] = uint8((3*uint16(src[n-1])+uint16(src[n-2])+1)>>2), src[n-1]
}
