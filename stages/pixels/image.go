// Package pixels turns encoded images into upright 8-bit RGB, resizes them, and keeps them decoded for the steps of one
// process.
//
// Decode checks its limits against the header before it allocates a pixel, and tells why it refused in an *Error. Cache
// holds decoded images within a byte limit, so that ingest, prelabel and superpixel decode a photo once between them.
package pixels

// Image is an upright picture: Pix is [H,W,3] row-major RGB, 8 bits a channel, without padding, len(Pix) == 3*W*H.
// Images are shared between goroutines through Cache: once handed out, Pix is read-only.
type Image struct {
	W, H int
	Pix  []uint8
}

// Plane is a single-channel picture: Pix is [H,W] row-major without padding.
type Plane struct {
	W, H int
	Pix  []uint8
}

func newImage(w, h int) *Image { return &Image{W: w, H: h, Pix: make([]uint8, 3*w*h)} }

// Luma returns the BT.601 full-range luma, 0.299 R + 0.587 G + 0.114 B, rounded.
func (m *Image) Luma() *Plane {
	p := &Plane{W: m.W, H: m.H, Pix: make([]uint8, m.W*m.H)}
	src := m.Pix
	for i := range p.Pix {
		s := src[3*i : 3*i+3 : 3*i+3]
		p.Pix[i] = uint8((19595*uint32(s[0]) + 38470*uint32(s[1]) + 7471*uint32(s[2]) + 1<<15) >> 16)
	}
	return p
}
