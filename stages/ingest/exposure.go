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

type exposure struct {
	deviation    float64
	dark, bright float64
}

func newExposure(p plane) exposure {
	var l rows.Levels
	for y := range p.h {
		l.Add(p.row(y), darkLuma, brightLuma)
	}
	n := float64(len(p.pix))
	mean := float64(l.Sum) / n
	return exposure{
		deviation: math.Sqrt(max(0, float64(l.Squares)/n-mean*mean)),
		dark:      float64(l.Low) / n, bright: float64(l.High) / n,
	}
}

func underExposed(m measures, t Thresholds) *reject {
	if m.dark <= t.MaxDark {
		return nil
	}
	return &reject{
		reason: UnderExposed, measure: m.dark, threshold: t.MaxDark,
		detail: fmt.Sprintf("%.1f%% of the pixels are all but black", 100*m.dark),
	}
}

func overExposed(m measures, t Thresholds) *reject {
	if m.bright <= t.MaxBright {
		return nil
	}
	return &reject{
		reason: OverExposed, measure: m.bright, threshold: t.MaxBright,
		detail: fmt.Sprintf("%.1f%% of the pixels are all but white", 100*m.bright),
	}
}

func nearUniform(m measures, t Thresholds) *reject {
	if m.deviation >= t.MinDeviation {
		return nil
	}
	return &reject{
		reason: NearUniform, measure: m.deviation, threshold: t.MinDeviation,
		detail: fmt.Sprintf("luma deviates by %.1f of 255 only", m.deviation),
	}
}
