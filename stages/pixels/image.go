// Package pixels turns encoded images into upright 8-bit RGB, resizes them, and keeps them decoded for the steps of one
// process.
//
// Decode checks its limits against the header before it allocates a pixel, and tells why it refused in an *Error. Cache
// holds decoded images within a byte limit, so that ingest, prelabel, superpixel and lint decode a photo once between them.
package pixels

// Image is an upright picture: Pix is [H,W,3] row-major RGB, 8 bits a channel, without padding, len(Pix) == 3*W*H.
// Images are shared between goroutines through Cache: once handed out, Pix is read-only.
type Image struct {
	W, H int
	Pix  []uint8
}

func newImage(w, h int) *Image { return &Image{W: w, H: h, Pix: make([]uint8, 3*w*h)} }
