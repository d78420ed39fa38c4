package web

// A sample's label map as it travels: the page decodes it.

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"

	"gleaner/schemas/labelmap"
)

const labelmapType = "application/vnd.gleaner.labelmap"

func (s *Server) superpixels(w http.ResponseWriter, r *http.Request) error {
	sample, err := s.sample(r)
	if err != nil {
		return err
	}
	super := sample.Superpixels
	if super.Count == 0 {
		return problem(http.StatusNotFound, fmt.Sprintf("sample %s has no superpixels", sample.ID), "run the superpixel step")
	}
	data := super.Data
	if super.Encoding != labelmap.Encoding { // a sample from before: the page knows the current encoding only
		m, err := labelmap.Decode(data)
		if err != nil {
			return problem(http.StatusNotFound, fmt.Sprintf("the superpixels of sample %s, encoded as %q, cannot be read: %v", sample.ID, super.Encoding, err),
				"use a newer version, or run the superpixel step again")
		}
		if data, err = m.Encode(); err != nil {
			return fmt.Errorf("web: superpixels of sample %s: %w", sample.ID, err)
		}
	}
	sum := sha256.Sum256(data)
	s.serveBytes(w, r, labelmapType, hex.EncodeToString(sum[:]), data)
	return nil
}
