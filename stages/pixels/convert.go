package pixels

// Conversion of the decoders' images to RGB by whole rows: no per-pixel interface call, no intermediate image.

import (
	"image"
	"image/color"
	"image/draw"

	"gleaner/stages/pixels/rows"
)

// toRGB converts src, laid at its own bounds on a white canvas of w x h. Only a GIF's first frame may be smaller than the
// canvas. webp says that YCbCr is in the studio range of BT.601, as VP8 defines, not in JPEG's full range.
func toRGB(src image.Image, w, h int, webp bool) *Image {
	b := src.Bounds()
	dst := newImage(w, h)
	x0, y0 := 0, 0
	if b.Dx() < w || b.Dy() < h {
		for i := range dst.Pix {
			dst.Pix[i] = 255
		}
		x0, y0 = max(0, min(b.Min.X, w-b.Dx())), max(0, min(b.Min.Y, h-b.Dy()))
	}
	row := func(y int) []uint8 { o := 3 * ((y0+y)*w + x0); return dst.Pix[o : o+3*b.Dx()] }

	switch m := src.(type) {
	case *image.YCbCr:
		yuv(m, row, webp)
	case *image.NYCbCrA:
		yuv(&m.YCbCr, row, webp)
		for y := range b.Dy() {
			a, d := m.A[y*m.AStride:], row(y)
			for x := range b.Dx() {
				over(d[3*x:3*x+3], d[3*x], d[3*x+1], d[3*x+2], a[x])
			}
		}
	case *image.Gray:
		for y := range b.Dy() {
			s, d := m.Pix[y*m.Stride:], row(y)
			for x := range b.Dx() {
				d[3*x], d[3*x+1], d[3*x+2] = s[x], s[x], s[x]
			}
		}
	case *image.Gray16:
		for y := range b.Dy() {
			s, d := m.Pix[y*m.Stride:], row(y)
			for x := range b.Dx() {
				d[3*x], d[3*x+1], d[3*x+2] = s[2*x], s[2*x], s[2*x]
			}
		}
	case *image.RGBA: // premultiplied: white shows through by what alpha leaves
		for y := range b.Dy() {
			s, d := m.Pix[y*m.Stride:], row(y)
			for x := range b.Dx() {
				p, a := s[4*x:4*x+4:4*x+4], s[4*x+3]
				d[3*x], d[3*x+1], d[3*x+2] = min(p[0], a)+255-a, min(p[1], a)+255-a, min(p[2], a)+255-a
			}
		}
	case *image.NRGBA:
		for y := range b.Dy() {
			s, d := m.Pix[y*m.Stride:], row(y)
			for x := range b.Dx() {
				over(d[3*x:3*x+3], s[4*x], s[4*x+1], s[4*x+2], s[4*x+3])
			}
		}
	case *image.NRGBA64:
		for y := range b.Dy() {
			s, d := m.Pix[y*m.Stride:], row(y)
			for x := range b.Dx() {
				over(d[3*x:3*x+3], s[8*x], s[8*x+2], s[8*x+4], s[8*x+6])
			}
		}
	case *image.Paletted:
		var table [256][3]uint8
		for i, c := range m.Palette[:min(len(m.Palette), 256)] {
			n := color.NRGBAModel.Convert(c).(color.NRGBA)
			over(table[i][:], n.R, n.G, n.B, n.A)
		}
		for y := range b.Dy() {
			s, d := m.Pix[y*m.Stride:], row(y)
			for x := range b.Dx() {
				copy(d[3*x:3*x+3], table[s[x]][:])
			}
		}
	case *image.CMYK:
		for y := range b.Dy() {
			s, d := m.Pix[y*m.Stride:], row(y)
			for x := range b.Dx() {
				d[3*x], d[3*x+1], d[3*x+2] = color.CMYKToRGB(s[4*x], s[4*x+1], s[4*x+2], s[4*x+3])
			}
		}
	default: // RGBA64 of a 16-bit PNG or TIFF; anything a decoder may grow
		n := image.NewNRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
		draw.Draw(n, n.Rect, src, b.Min, draw.Src)
		for y := range b.Dy() {
			s, d := n.Pix[y*n.Stride:], row(y)
			for x := range b.Dx() {
				over(d[3*x:3*x+3], s[4*x], s[4*x+1], s[4*x+2], s[4*x+3])
			}
		}
	}
	return dst
}

// over writes a color of straight alpha composited over white.
func over(d []uint8, r, g, b, a uint8) {
	if a != 255 {
		mix := func(c uint8) uint8 { return uint8((uint32(c)*uint32(a) + 255*uint32(255-a) + 127) / 255) }
		r, g, b = mix(r), mix(g), mix(b)
	}
	d[0], d[1], d[2] = r, g, b
}

// yuv converts planes row by row, with chroma interpolated where it is halved.
func yuv(m *image.YCbCr, row func(int) []uint8, webp bool) {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	up := newUpsampler(m)
	for y := range h {
		cb, cr := up.row(y)
		if webp {
			studioRow(row(y), m.Y[y*m.YStride:][:w], cb, cr)
		} else {
			rows.RGB(row(y), m.Y[y*m.YStride:][:w], cb, cr)
		}
	}
}

// studioRow converts VP8's limited-range BT.601 in libwebp's fixed point.
func studioRow(d, luma, cb, cr []uint8) {
	for x, l := range luma {
		y, u, v := int32(l)*19077>>8, int32(cb[x]), int32(cr[x])
		r := (y + v*26149>>8 - 14234) >> 6
		g := (y - u*6419>>8 - v*13320>>8 + 8708) >> 6
		b := (y + u*33050>>8 - 17685) >> 6
		p := d[3*x : 3*x+3 : 3*x+3]
		p[0], p[1], p[2] = uint8(max(0, min(255, r))), uint8(max(0, min(255, g))), uint8(max(0, min(255, b)))
	}
}
