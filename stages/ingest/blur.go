package ingest

import (
	"fmt"

	"gleaner/stages/pixels"
)

// sharpness is the variance of the 4-neighbor Laplacian (0 1 0, 1 -4 1, 0 1 0) over the inner pixels: the focus measure of
// Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy" (2000). Blur takes away what it measures. It has no
// upper bound; rounding to 8 bits alone makes about 1.7 of it. Images narrower than 3 pixels have 0.
func sharpness(p *pixels.Plane) float64 {
	if p.W < 3 || p.H < 3 {
		return 0
	}
	var sum, squares int64
	for y := 1; y < p.H-1; y++ {
		up := p.Pix[(y-1)*p.W:][:p.W]
		row := p.Pix[y*p.W:][:p.W]
		down := p.Pix[(y+1)*p.W:][:p.W]
		for x := 1; x < len(row)-1; x++ {
			l := int64(up[x]) + int64(down[x]) + int64(row[x-1]) + int64(row[x+1]) - 4*int64(row[x])
			sum += l
			squares += l * l
		}
	}
	n := float64((p.W - 2) * (p.H - 2))
	mean := float64(sum) / n
	return float64(squares)/n - mean*mean
}

func blurred(m measures, t Thresholds) *reject {
	if m.sharpness >= t.MinSharpness {
		return nil
	}
	return &reject{
		reason: Blurred, measure: m.sharpness, threshold: t.MinSharpness,
		detail: fmt.Sprintf("sharpness %.1f, at least %g is asked", m.sharpness, t.MinSharpness),
	}
}
