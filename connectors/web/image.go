package web

// Pixels to the browser. The bytes come from strangers, so they are served as raster images or as a download, never as anything
// that a browser would run, and under a policy that lets nothing run.

import (
	"bytes"
	"errors"
	"fmt"
	"image/png"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"golang.org/x/image/tiff"

	"gleaner/schemas"
)

func (s *Server) sampleImage(w http.ResponseWriter, r *http.Request) error {
	sample, err := s.sample(r)
	if err != nil {
		return err
	}
	return s.serveImage(w, r, sample.Image.SHA256)
}

// image serves by digest: to whom knows the digest, of a sample that is not erased (erasure removes the blob).
func (s *Server) image(w http.ResponseWriter, r *http.Request) error {
	var h schemas.Hash
	if err := h.UnmarshalText([]byte(r.PathValue("sha256"))); err != nil {
		return problem(http.StatusBadRequest, err.Error(), "copy the digest from a sample's image.sha256")
	}
	return s.serveImage(w, r, h)
}

func (s *Server) serveImage(w http.ResponseWriter, r *http.Request, h schemas.Hash) error {
	data, err := s.deps.Blobs.Get(r.Context(), schemas.ImageKey(h))
	if errors.Is(err, fs.ErrNotExist) {
		return problem(http.StatusNotFound, fmt.Sprintf("no image %s", h), "it was never stored here, or was erased")
	}
	if err != nil {
		return fmt.Errorf("web: image %s: %w", h, err)
	}
	t := mediaType(data)
	if t == "image/tiff" && !strings.Contains(r.Header.Get("Accept"), t) {
		w.Header().Set("Vary", "Accept")
		if converted, err := toPNG(data); err == nil { // else the browser says that it cannot show it
			t, data = "image/png", converted
		}
	}
	if t == "application/octet-stream" {
		w.Header().Set("Content-Disposition", "attachment")
	}
	s.serveBytes(w, r, t, h.String(), data)
	return nil
}

// serveBytes answers with content that never changes under its address; conditional and range requests are obeyed.
func (s *Server) serveBytes(w http.ResponseWriter, r *http.Request, mediaType, tag string, data []byte) {
	h := w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Cache-Control", fmt.Sprintf("private, immutable, max-age=%d", int(s.cfg.CacheFor.Seconds())))
	h.Set("ETag", `"`+tag+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
}

// maxConverted bounds the pixels of a TIFF that is decoded here: 64 megapixels.
const maxConverted = 1 << 26

// toPNG makes a TIFF, which most browsers do not show, into what they do.
func toPNG(data []byte) ([]byte, error) {
	cfg, err := tiff.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	if cfg.Width <= 0 || cfg.Height <= 0 || cfg.Width > maxConverted/cfg.Height {
		return nil, fmt.Errorf("tiff of %d x %d pixels is too large to convert", cfg.Width, cfg.Height)
	}
	img, err := tiff.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&b, img)
	return b.Bytes(), err
}

// mediaType tells raster formats by their first bytes; everything else, SVG and HTML among it, is opaque.
func mediaType(data []byte) string {
	switch t := http.DetectContentType(data); t {
	case "image/jpeg", "image/png", "image/gif", "image/webp", "image/bmp":
		return t
	}
	if bytes.HasPrefix(data, []byte("II*\x00")) || bytes.HasPrefix(data, []byte("MM\x00*")) {
		return "image/tiff"
	}
	return "application/octet-stream"
}
