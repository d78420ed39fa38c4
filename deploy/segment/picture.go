package segment

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"

	"gleaner/stages/pixels"
)

// borderColor is seen on photos of most kinds.
var borderColor = color.RGBA{255, 230, 0, 255}

// EncodeMap makes region ids a 16-bit gray PNG.
func EncodeMap(labels []uint16, w, h int) ([]byte, error) {
	m := image.NewGray16(image.Rect(0, 0, w, h))
	for i, id := range labels {
		m.Pix[2*i], m.Pix[2*i+1] = uint8(id>>8), uint8(id)
	}
	var out bytes.Buffer
	err := (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&out, m)
	return out.Bytes(), err
}

// encodeOverlay makes the image with a line of one pixel between regions a JPEG.
func encodeOverlay(img *pixels.Image, labels []uint16) ([]byte, error) {
	m := image.NewRGBA(image.Rect(0, 0, img.W, img.H))
	for i, id := range labels {
		c := color.RGBA{img.Pix[3*i], img.Pix[3*i+1], img.Pix[3*i+2], 255}
		if x := i % img.W; x+1 < img.W && labels[i+1] != id || i+img.W < len(labels) && labels[i+img.W] != id {
			c = borderColor
		}
		m.Pix[4*i], m.Pix[4*i+1], m.Pix[4*i+2], m.Pix[4*i+3] = c.R, c.G, c.B, c.A
	}
	var out bytes.Buffer
	err := jpeg.Encode(&out, m, &jpeg.Options{Quality: 92})
	return out.Bytes(), err
}
