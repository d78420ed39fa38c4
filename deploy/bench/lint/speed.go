package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"gleaner/deploy/bench/report"
	"gleaner/schemas"
	"gleaner/schemas/labelmap"
	"gleaner/stages/lint"
)

// speed measures lint of an image with fifty labels, beyond what the models take.
func (b *bench) speed(ctx context.Context, out io.Writer) error {
	set, err := b.set(ctx, "coco128")
	if err != nil {
		return err
	}
	const boxes, pictures, rounds = 50, 24, 5
	full := make([][]schemas.Object, len(set))
	for i, p := range set {
		n := b.newNoise(set, 1)
		for len(full[i]) < boxes && len(p.sample.Objects) > 0 {
			full[i] = append(full[i], n.put(p.sample.Objects, p.img.W, p.img.H).labels...)
		}
		full[i] = full[i][:min(len(full[i]), boxes)]
		for k := range full[i] {
			full[i][k].ID = fmt.Sprint(k)
		}
	}
	var linters []*lint.Lint // where the flow has kept the label maps, and where they are decoded
	for _, maps := range []*labelmap.Recent{b.maps, nil} {
		l, err := b.linter(set, full, nil, maps, lint.DefaultConfig().Rules.MinScore)
		if err != nil {
			return err
		}
		linters = append(linters, l)
	}
	fmt.Fprint(out, "\n### Speed\n\n")
	fmt.Fprintf(out, "Milliseconds of processor time of the lint step for one of coco128's images with %d labels (its own, with errors, as often as it takes), the models' cells on the sample and the pixels decoded: medians of %d rounds over %d images. The label map of the superpixels is at hand where superpixel runs in the same process, as in `gleaner up`, and is decoded elsewhere.\n\n", boxes, rounds, pictures)
	fmt.Fprintln(out, "| models | ms | and decoding the label map | aim |\n|---|---|---|---|")
	for _, v := range judged {
		took := make([][]float64, len(linters))
		var samples []*schemas.Sample
		for i, p := range set {
			if len(full[i]) < boxes || len(samples) == pictures {
				continue
			}
			s, err := b.seen(ctx, p, v, full[i])
			if err != nil {
				return err
			}
			samples = append(samples, s)
		}
		for range rounds {
			for k, l := range linters {
				start := report.ProcessorTime()
				for _, s := range samples {
					if _, err := l.Process(ctx, *s); err != nil {
						return err
					}
				}
				took[k] = append(took[k], report.Millis((report.ProcessorTime()-start)/time.Duration(len(samples))))
			}
		}
		fmt.Fprintf(out, "| %s | %.2f | %.2f | 5 |\n", v, report.Median(took[0]), report.Median(took[1]))
	}
	return nil
}
