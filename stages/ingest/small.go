package ingest

import (
	"fmt"

	"gleaner/stages/pixels"
)

// tooSmall finds icons and thumbnails, in which nobody can draw a box.
func tooSmall(img *pixels.Image, t Thresholds) *reject {
	side := min(img.W, img.H)
	if side >= t.MinSide {
		return nil
	}
	return &reject{
		reason: TooSmall, measure: float64(side), threshold: float64(t.MinSide),
		detail: fmt.Sprintf("%dx%d pixels", img.W, img.H),
	}
}
