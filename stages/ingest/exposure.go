package ingest

// Exposure: images in which nothing shows, because it was too dark, too bright, or there was nothing.

import (
	"fmt"
	"math"

	"gleaner/stages/pixels/rows"
)

// Luma at most darkLuma shows as black, and at least brightLuma as white, on an ordinary screen.
const (
	darkLuma   = 16
	brightLuma = 250
)

// expose fills in the figures of exposure.
func (m *Measures) expose(p plane) {
	var l rows.Levels
	for y := range p.h {
		l.Add(p.row(y), darkLuma, brightLuma)
	}
	n := float64(len(p.pix))
	m.Mean = float64(l.Sum) / n
	m.Deviation = math.Sqrt(max(0, float64(l.Squares)/n-m.Mean*m.Mean))
	m.Dark, m.Bright = float64(l.Low)/n, float64(l.High)/n
}

func underExposed(m Measures, t Thresholds) *reject {
	if m.Dark <= t.MaxDark {
		return nil
	}
	return &reject{
		reason: UnderExposed, measure: m.Dark, threshold: t.MaxDark,
		detail: fmt.Sprintf("%.1f%% of the pixels are all but black", 100*m.Dark),
	}
}

func overExposed(m Measures, t Thresholds) *reject {
	if m.Bright <= t.MaxBright {
		return nil
	}
	return &reject{
		reason: OverExposed, measure: m.Bright, threshold: t.MaxBright,
		detail: fmt.Sprintf("%.1f%% of the pixels are all but white", 100*m.Bright),
	}
}

func nearUniform(m Measures, t Thresholds) *reject {
	if m.Deviation >= t.MinDeviation {
		return nil
	}
	return &reject{
		reason: NearUniform, measure: m.Deviation, threshold: t.MinDeviation,
		detail: fmt.Sprintf("luma deviates by %.1f of 255 only", m.Deviation),
	}
}
