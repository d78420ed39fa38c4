package lint

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/lint/evidence"
)

// Twins gives the labels of near-duplicate images, those that count most first. It is safe for concurrent use.
type Twins interface {
	// Twins returns at most evidence.MaxTwins, none where they cannot be had, and soon: people wait for it.
	Twins(ctx context.Context, sample *schemas.Sample) []evidence.Twin
}

// twins doubts labels that near-duplicate images have otherwise, or not at all, and looks for those that only they have.
func twins(v *view) []schemas.Finding {
	var out []schemas.Finding
	s := *v.Sample
	s.Objects = slices.DeleteFunc(slices.Clone(s.Objects), func(o schemas.Object) bool {
		return v.copies[o.ID] || o.Box.Empty() // which twins have no label for
	})
	for _, d := range evidence.Disagreements(&s, v.twins, v.related) {
		f := schemas.Finding{Type: schemas.FindingTwin, Score: float32(d.Score)}
		other := fmt.Sprintf("The near-duplicate image %s", cmp.Or(d.First.UniqueID, d.First.SampleID.String()))
		if d.Agree > 1 {
			other += fmt.Sprintf(" (and %d more)", d.Agree-1)
		}
		if d.Label < 0 {
			f.Class, f.Box, f.Fix, f.FixClass = d.Class, d.Box, &d.Box, d.Class
			f.Why = fmt.Sprintf("%s has %s here, and no label covers it.", other, article(d.Class))
			out = append(out, f)
			continue
		}
		o := s.Objects[d.Label]
		f.ObjectID, f.Class, f.Box = o.ID, o.Class, o.Box
		switch {
		case d.Class != "":
			f.FixClass = d.Class
			f.Why = fmt.Sprintf("%s has %s here, not %s.", other, article(d.Class), article(o.Class))
		case d.Box != geometry.Box{}:
			f.Fix = &d.Box
			f.Why = fmt.Sprintf("%s has this %s elsewhere (overlap %.0f %%).", other, o.Class, 100*o.Box.IoU(d.Box))
		default:
			f.Why = fmt.Sprintf("%s has no label here.", other)
		}
		out = append(out, f)
	}
	return out
}
