package lint

import (
	"context"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

// Demands are the rules of datasets, by the dataset of a sample. They fail only when ctx has ended, and are safe for concurrent
// use.
type Demands interface {
	// Check returns what is against the rules in objects as labels of the sample.
	Check(ctx context.Context, sample *schemas.Sample, objects []schemas.Object) ([]schemas.Violation, error)
	// Keep returns the proposals that the dataset wants as objects.
	Keep(ctx context.Context, sample *schemas.Sample, proposals []schemas.Object) ([]schemas.Object, error)
}

// warnScore is how doubtful a label is that breaks a rule which only warns.
const warnScore = 0.5

// broken doubts labels that are against a rule of their dataset; one about the image as a whole points at all of it.
func broken(v *view) []schemas.Finding {
	var out []schemas.Finding
	for _, b := range v.violations {
		f := schemas.Finding{Type: schemas.FindingRule, Score: 1, Why: b.Message, Box: geometry.Box{X2: float32(v.Image.W), Y2: float32(v.Image.H)}}
		if b.Severity == schemas.SeverityWarn {
			f.Score = warnScore
		}
		for _, o := range v.Objects {
			if b.ObjectID != "" && o.ID == b.ObjectID {
				f.ObjectID, f.Class, f.Box = o.ID, o.Class, o.Box
			}
		}
		out = append(out, f)
	}
	return out
}
