package lint

import (
	"fmt"
	"slices"

	"gleaner/schemas"
	"gleaner/stages/lint/evidence"
)

// Losses tells what the training run of a dataset that finished last says of the labels of a sample. It is safe for concurrent use, and
// does not block.
type Losses interface {
	Losses(dataset string, sample schemas.SampleID) []evidence.Losses
}

// losses doubts labels that a training run argued with.
func losses(v *view) []schemas.Finding {
	var out []schemas.Finding
	for _, l := range v.losses {
		i, ok := l.Of(v.Objects)
		doubt := l.Doubt()
		if !ok || doubt == 0 {
			continue
		}
		o := v.Objects[i]
		if slices.ContainsFunc(out, func(f schemas.Finding) bool { return f.ObjectID == o.ID }) {
			continue // it is the only one, and the run has losses of the image too
		}
		more := ""
		if l.Rising() {
			more = ", and the longer it trained the more"
		}
		out = append(out, schemas.Finding{
			Type: schemas.FindingLoss, ObjectID: o.ID, Class: o.Class, Box: o.Box, Score: float32(doubt),
			Why: fmt.Sprintf("Training run %s argued with this %s in %d epochs (mean margin %.2f)%s.", l.RunID, o.Class, l.Presentations, l.AUM, more),
		})
	}
	return out
}
