package lint

import (
	"context"
	"fmt"
	"slices"

	"gleaner/connectors/formats"
	"gleaner/connectors/formats/lossfile"
	"gleaner/schemas"
	"gleaner/stages/lint/evidence"
)

// Losses are the labels that a training run argues with. They are read-only.
type Losses struct {
	Run     string
	Labels  int // that the run argues with
	dataset string
	of      map[schemas.SampleID][]evidence.Losses
}

// ReadLosses reads the scores of one run from a file that `gleaner export --scores` wrote. It holds the rows of kind label_error, some 150
// bytes each.
func ReadLosses(ctx context.Context, path string) (*Losses, error) {
	l := &Losses{of: map[schemas.SampleID][]evidence.Losses{}}
	for s, err := range lossfile.ReadScores(ctx, path) {
		if err != nil {
			return nil, err
		}
		if l.Run == "" {
			l.Run, l.dataset = s.RunID, s.Dataset
		}
		if s.RunID != l.Run || s.Dataset != l.dataset {
			return nil, fmt.Errorf("scores of %s: there are those of run %s of dataset %s and of run %s of dataset %s: one run counts", path, l.Run, l.dataset, s.RunID, s.Dataset)
		}
		if s.Kind == evidence.LabelError {
			l.Labels++
			l.of[s.SampleID] = append(l.of[s.SampleID], evidence.Losses{
				RunID: s.RunID, ObjectID: s.ObjectID, Class: s.Class, Kind: s.Kind, Presentations: s.Presentations, AUM: s.AUM,
				Outlier: s.ClassOutlier, TrendQ: s.TrendQ,
			})
		}
	}
	if l.Run == "" {
		return nil, fmt.Errorf("scores of %s: there are none", path)
	}
	return l, nil
}

// about is what the run says of an image's labels, under the ids that these have in their file. The image is the sample that its labels
// were exported from or else that has its path as the unique id, or its content where it came without one.
func (l *Losses) about(image string, content schemas.Hash, labels *formats.Beside, objects []schemas.Object) sampleLosses {
	from, exported := labels.Exported(image)
	if !exported {
		said, ok := l.of[schemas.NewSampleID(l.dataset, image, schemas.Hash{})]
		if !ok {
			said = l.of[schemas.NewSampleID(l.dataset, "", content)]
		}
		return said
	}
	var out sampleLosses
	for _, s := range l.of[from.Sample] {
		if s.ObjectID != "" {
			i := slices.Index(from.Objects, s.ObjectID)
			if i < 0 {
				continue
			}
			s.ObjectID = objects[i].ID
		}
		out = append(out, s)
	}
	return out
}

// sampleLosses is what a run says of one sample.
type sampleLosses []evidence.Losses

// Losses implements lint.Losses.
func (s sampleLosses) Losses(string, schemas.SampleID) []evidence.Losses { return s }

// here is how many of them are of labels that are still there.
func (s sampleLosses) here(labels []schemas.Object) (n int) {
	for _, l := range s {
		if _, ok := l.Of(labels); ok {
			n++
		}
	}
	return n
}
