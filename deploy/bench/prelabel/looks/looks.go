// Package looks makes slices of pictures by what ingest measures of them, so that figures can be cut by how pictures look.
package looks

import (
	"gleaner/deploy/bench/report"
	"gleaner/stages/ingest"
	"gleaner/stages/pixels"
)

// Look is what is measured of a picture.
type Look struct {
	measures ingest.Measures
	pixels   int
}

// Of measures a picture.
func Of(img *pixels.Image) Look { return Look{ingest.Measure(img), img.W * img.H} }

// Rule says how Slices cuts.
const Rule = "dark where the mean luma is under 85 of 255, soft where the variance of the Laplacian is in the lowest fifth, small where the picture has under 250000 pixels"

// Least is how many pictures a slice must have before it can be called the worst.
const Least = 10

// Slices are those of some pictures, compared with each other.
func Slices(all []Look) []map[string]string {
	sharpness := make([]float64, len(all))
	for i, l := range all {
		sharpness[i] = l.measures.Sharpness
	}
	soft := report.Quantile(sharpness, 0.2)
	choose := func(is bool, yes, no string) string {
		if is {
			return yes
		}
		return no
	}
	out := make([]map[string]string, len(all))
	for i, l := range all {
		out[i] = map[string]string{
			"light": choose(l.measures.Mean < 85, "dark", "normal"),
			"focus": choose(l.measures.Sharpness < soft, "soft", "sharp"),
			"size":  choose(l.pixels < 250_000, "small", "normal"),
		}
	}
	return out
}
