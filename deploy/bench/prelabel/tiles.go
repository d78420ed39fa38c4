package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"gleaner/schemas"
	"gleaner/stages/prelabel"
	"gleaner/stages/prelabel/evaluate"
)

// small is the square root of the area, in pixels, below which COCO calls an object small.
const small = 32

// tiles judges what models find that look at tiles of a picture, too, beside what they find by the whole alone.
func (b *bench) tiles(ctx context.Context, out io.Writer) error {
	whole, err := b.coco128(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n### Tiles\n\nAP50 on coco128, detections from score %g, suppressed at IoU %g within each class, and the share of small labels (below %d x %d pixels) that a detection of their class covers at IoU 0.5. "+
		"Intervals are the middle 95 %% of %d resamples of the pictures, paired.\n\n", prelabel.DefaultConfig().Low, prelabel.DefaultConfig().IoU, small, small, b.resamples)
	fmt.Fprintln(out, "| model | tiles | runs a picture | AP50 | less the whole alone | small labels found |\n|---|---|---|---|---|---|")
	for _, n := range []int{1, 2, 3} {
		s := whole
		if n > 1 {
			if s, err = b.coco128In(ctx, n); err != nil {
				return err
			}
		}
		for m, model := range s.models {
			alone, these := whole.evaluation(whole.of(m)), s.evaluation(s.of(m))
			runs, over := 1, ""
			if n > 1 {
				runs, over = n*n+1, points(evaluate.Difference(these, alone, b.resamples, 1))
			}
			found, all := s.small(m)
			fmt.Fprintf(out, "| %s | %d | %d | %.2f | %s | %.1f %% of %d |\n", model, n, runs, 100*these.Mean(nil), over, 100*float64(found)/float64(all), all)
		}
	}
	return nil
}

// small counts the small labels, and those of them that a model found.
func (s *scored) small(model int) (found, all int) {
	for _, p := range s.pictures {
		for _, label := range p.truth {
			if label.Box.Area() >= small*small {
				continue
			}
			all++
			if slices.ContainsFunc(p.found[model], func(o schemas.Object) bool { return o.Class == label.Class && o.Box.IoU(label.Box) >= 0.5 }) {
				found++
			}
		}
	}
	return found, all
}
