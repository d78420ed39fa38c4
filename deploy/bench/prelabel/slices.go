package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"

	"gleaner/deploy/bench/prelabel/looks"
	"gleaner/deploy/scenes"
	"gleaner/schemas"
	"gleaner/stages/pixels"
	"gleaner/stages/prelabel/calibrate"
	"gleaner/stages/prelabel/evaluate"
	"gleaner/stages/prelabel/fuse"
)

const sceneCount = 120 // generated

// slices cuts what fusion and calibration reach by properties of the pictures: measured ones of photos, drawn ones of
// generated scenes.
func (b *bench) slices(ctx context.Context, out io.Writer) error {
	coco, err := b.coco128(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n### Slices\n\nThe figures above by slice, the worst first; intervals by %d resamples of the slice's own pictures. A mean over classes has few labels of "+
		"most of them in a slice, and counts only those that it has. Of coco128 slices are by ingest's measures: %s.\n", b.resamples, looks.Rule)
	models := b.allKnowing()
	images := coco.images(models)
	found, _ := crossFit(models, images, 0)
	ways := calibrators()
	raw, ours := ways[0], ways[len(ways)-1]
	proposals, all := coco.proposals(b.super, coco.models[:1]), budgets[len(budgets)-1]
	coco.measured()
	b.cut(out, "coco128", coco, figures{
		coco.evaluation(coco.first()), coco.evaluation(found),
		crossCalibrate(raw, proposals, len(images), all, 0), crossCalibrate(ours, proposals, len(images), all, 0),
	})

	drawn, err := b.scenes(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\nOf %d generated scenes (seed %d; car, truck, bus, person and stop sign, which the models know) slices are as drawn. Nothing is learned from scenes: fuser and "+
		"calibration are those of all of coco128.\n", sceneCount, scenes.DefaultConfig().Seed)
	fuser := fuse.Fit(models, images, fuse.DefaultConfig())
	fused := make([][]schemas.Object, sceneCount)
	for i, img := range drawn.images(models) {
		fused[i] = fuser.Fuse(img.Found)
	}
	learned := make([]calibrate.Correction, len(proposals))
	for i, p := range proposals {
		learned[i] = p.Correction
	}
	told := func(probability probability) evaluate.Outcomes {
		var out []evaluate.Outcome
		for _, p := range drawn.proposals(b.super, drawn.models[:1]) {
			out = append(out, evaluate.Outcome{Probability: float64(probability(p.Correction)), Happened: p.Accepted, Image: p.image})
		}
		return evaluate.SortOutcomes(out)
	}
	b.cut(out, "scenes", drawn, figures{drawn.evaluation(drawn.first()), drawn.evaluation(fused), told(raw.learn(nil)), told(ours.learn(learned))})
	return nil
}

// measured makes slices of how the pictures look.
func (s *scored) measured() {
	all := make([]looks.Look, len(s.pictures))
	for i, p := range s.pictures {
		all[i] = p.look
	}
	for i, of := range looks.Slices(all) {
		s.pictures[i].slices = of
	}
}

// figures are what is cut by slice.
type figures struct {
	single, fused   *evaluate.Precision // of the first model and of all
	raw, calibrated evaluate.Outcomes   // of the first model's proposals
}

// cut prints figures by slice.
func (b *bench) cut(out io.Writer, name string, s *scored, all figures) {
	of := make([]map[string]string, len(s.pictures))
	for i, p := range s.pictures {
		of[i] = p.slices
	}
	parts := evaluate.Slices(of)
	fmt.Fprintf(out, "\n| %s | pictures | labels | AP50 of %s | AP50 of ours, fused | NLL of its scores | NLL, calibrated |\n|---|---|---|---|---|---|---|\n", name, s.models[0])
	cuts := func(statistic func(counts []int) float64) []evaluate.Figure {
		return evaluate.Cut(parts, len(s.pictures), b.resamples, 1, statistic)
	}
	single, fused, raw, nll := cuts(all.single.Mean), cuts(all.fused.Mean), cuts(all.raw.NLL), cuts(all.calibrated.NLL)
	labels := func(images []int) (n int) {
		for _, i := range images {
			n += len(s.pictures[i].truth)
		}
		return n
	}
	for _, f := range fused {
		of := func(figures []evaluate.Figure) evaluate.Interval {
			return figures[slices.IndexFunc(figures, func(g evaluate.Figure) bool { return g.Name == f.Name })].Interval
		}
		fmt.Fprintf(out, "| %s | %d | %d | %s | %s | %s | %s |\n", f.Name, len(f.Images), labels(f.Images), percent(of(single)), percent(f.Interval), nats(of(raw)), nats(of(nll)))
	}
	enough := func(f evaluate.Figure) bool { return len(f.Images) >= looks.Least && !math.IsNaN(f.Value) }
	if i := slices.IndexFunc(fused, enough); i >= 0 {
		f := fused[i]
		fmt.Fprintf(out, "\nThe worst slice of %s by AP50: **%s**, %s on %d pictures with %d labels; all together %.2f.", name, f.Name, percent(f.Interval), len(f.Images), labels(f.Images),
			100*all.fused.Mean(nil))
	}
	slices.Reverse(nll)
	if i := slices.IndexFunc(nll, enough); i >= 0 {
		f := nll[i]
		fmt.Fprintf(out, " By NLL: **%s**, %s on %d pictures; all together %.3f, and %.3f of the scores as they are.\n", f.Name, nats(f.Interval), len(f.Images), all.calibrated.NLL(nil), all.raw.NLL(nil))
	}
}

// percent prints an interval of fractions.
func percent(i evaluate.Interval) string {
	return fmt.Sprintf("%.2f [%.2f, %.2f]", 100*i.Value, 100*i.Low, 100*i.High)
}

// nats prints an interval.
func nats(i evaluate.Interval) string {
	return fmt.Sprintf("%.3f [%.3f, %.3f]", i.Value, i.Low, i.High)
}

// scenes draws pictures and detects on them; only classes that the models know stay.
func (b *bench) scenes(ctx context.Context) (*scored, error) {
	drawn := map[string]bool{}
	s, err := b.detect(ctx, sceneCount, 1, func(p *picture, i int) (*pixels.Image, error) {
		scene, err := scenes.Draw(scenes.DefaultConfig(), i)
		if err != nil {
			return nil, err
		}
		p.name, p.slices = fmt.Sprint("scene ", i), scene.Slices
		for _, o := range scene.Objects {
			if slices.Contains(b.classes, o.Class) {
				p.truth = append(p.truth, schemas.Object{Class: o.Class, Box: o.Box})
			}
		}
		img, _, err := pixels.Decode(scene.JPEG, pixels.DefaultLimits())
		return img, err
	})
	if err != nil {
		return nil, err
	}
	for _, p := range s.pictures {
		for _, o := range p.truth {
			drawn[o.Class] = true
		}
	}
	for _, p := range s.pictures {
		for m, found := range p.found {
			p.found[m] = slices.DeleteFunc(found, func(o schemas.Object) bool { return !drawn[o.Class] })
		}
	}
	return s, nil
}
