package ingest

import (
	"fmt"

	"gleaner/stages/pixels/rows"
)

// sharpness is the variance of the 4-neighbor Laplacian (0 1 0, 1 -4 1, 0 1 0) over the inner pixels: the focus measure of
// Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy" (2000). Blur takes away what it measures. It has no
// upper bound; rounding to 8 bits alone makes about 1.7 of it. Images narrower than 3 pixels have 0.
func sharpness(p plane) float64 {
	if p.w < 3 || p.h < 3 {
		return 0
	}
	var sum, squares int
	for y := 1; y < p.h-1; y++ {
		l, l2 := rows.Laplacian(p.row(y-1), p.row(y), p.row(y+1))
		sum += l
		squares += l2
	}
	n := float64((p.w - 2) * (p.h - 2))
	mean := float64(sum) / n
	return float64(squares)/n - mean*mean
}

func blurred(m Measures, t Thresholds) *reject {
	if m.Sharpness >= t.MinSharpness {
		return nil
	}
	return &reject{
		reason: Blurred, measure: m.Sharpness, threshold: t.MinSharpness,
		detail: fmt.Sprintf("sharpness %.1f, at least %g is asked", m.Sharpness, t.MinSharpness),
	}
}
