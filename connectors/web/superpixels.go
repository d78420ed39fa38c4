package web

// The borders between superpixels as a picture to lay over the image, so that a browser needs no decoder of label maps.

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net/http"

	"gleaner/schemas/labelmap"
)

func (s *Server) superpixels(w http.ResponseWriter, r *http.Request) error {
	sample, err := s.sample(r)
	if err != nil {
		return err
	}
	if sample.Superpixels.Count == 0 {
		return problem(http.StatusNotFound, fmt.Sprintf("sample %s has no superpixels", sample.ID), "run the superpixel step")
	}
	m, err := labelmap.Decode(sample.Superpixels.Data)
	if err != nil {
		return fmt.Errorf("web: superpixels of sample %s: %w", sample.ID, err)
	}
	var b bytes.Buffer
	enc := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := enc.Encode(&b, picture(m.Labels, m.W, m.H)); err != nil {
		return fmt.Errorf("web: superpixels of sample %s: encode png: %w", sample.ID, err)
	}
	sum := sha256.Sum256(b.Bytes())
	s.serveBytes(w, r, "image/png", hex.EncodeToString(sum[:]), b.Bytes())
	return nil
}

// picture draws the borders of labels, [h*w] row-major, in a color that photos seldom have; the rest is transparent. Two colors
// make a PNG of one bit a pixel.
func picture(labels []uint16, w, h int) *image.Paletted {
	img := image.NewPaletted(image.Rect(0, 0, w, h), color.Palette{color.NRGBA{}, color.NRGBA{R: 255, G: 214, B: 10, A: 255}})
	for i, border := range labelmap.Borders(labels, w, h) {
		if border {
			img.Pix[i] = 1
		}
	}
	return img
}
