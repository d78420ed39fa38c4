package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gleaner/deploy/bench/report"
	"gleaner/stages/prelabel/calibrate"
	"gleaner/stages/prelabel/evaluate"
)

// proposal is a detection that a person would accept or not, which is told by the label.
type proposal struct {
	calibrate.Correction
	image int
}

// calibrator makes of corrections the probability of a proposal.
type calibrator struct {
	name  string
	learn func([]calibrate.Correction) probability
}

// probability tells what a correction's proposal has.
type probability func(calibrate.Correction) float32

// calibrators are from what knows least to what knows most.
func calibrators() []calibrator {
	return []calibrator{
		{"score as it is", func([]calibrate.Correction) probability {
			return func(c calibrate.Correction) float32 { return c.Score }
		}},
		{"one line for all", withhold(func(c *calibrate.Correction) { c.Model, c.Super, c.Class = "", "", "" })},
		{"a line for each model", withhold(func(c *calibrate.Correction) { c.Super, c.Class = "", "" })},
		{"**ours**: all, model, super-class, class", withhold(func(*calibrate.Correction) {})},
	}
}

// withhold learns a book from corrections of which something is taken away.
func withhold(take func(*calibrate.Correction)) func([]calibrate.Correction) probability {
	return func(learned []calibrate.Correction) probability {
		less := slices.Clone(learned)
		for i := range less {
			take(&less[i])
		}
		book := calibrate.Fit(less)
		return func(c calibrate.Correction) float32 {
			take(&c)
			return book.Probability(c.Class, c.Super, c.Model, c.Score)
		}
	}
}

// budgets are the numbers of corrections that are learned from; the last stands for all there are.
var budgets = []int{0, 50, 200, 1 << 30}

// calibration judges probabilities on pictures that nothing was learned from.
func (b *bench) calibration(ctx context.Context, out io.Writer) error {
	s, err := b.coco128(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n### Calibration\n\nA proposal counts as accepted when it takes a label of its class at IoU 0.5. Cross-fitted: %d folds of coco128's pictures by chance, "+
		"corrections drawn by chance from the other folds' proposals. Medians of %d draws, in brackets the least and the greatest; NLL in nats; ECE over 15 bins of equal mass. "+
		"Before there are corrections ours is the score as it is.\n", outerFolds, b.seeds)
	ways := calibrators()
	one := slices.Delete(slices.Clone(ways), 2, 3) // of one model, a line for each model is one for all
	if err := b.calibrationTable(out, s.models[0], one, s.proposals(b.super, s.models[:1]), len(s.pictures), filepath.Join(b.plots, "reliability-one.svg")); err != nil {
		return err
	}
	return b.calibrationTable(out, strings.Join(s.models, ", "), ways, s.proposals(b.super, s.models), len(s.pictures), filepath.Join(b.plots, "reliability-all.svg"))
}

// proposals are those of some models with what becomes of them.
func (s *scored) proposals(super map[string]string, models []string) []proposal {
	var out []proposal
	for i, p := range s.pictures {
		for m, model := range s.models {
			if !slices.Contains(models, model) {
				continue
			}
			for j, hit := range evaluate.Match(p.truth, p.found[m], 0.5) {
				o := p.found[m][j]
				out = append(out, proposal{calibrate.Correction{Model: o.Source, Super: super[o.Class], Class: o.Class, Score: o.Score, Accepted: hit}, i})
			}
		}
	}
	return out
}

// crossCalibrate returns each proposal's probability by at most budget corrections of the other folds' pictures.
func crossCalibrate(c calibrator, proposals []proposal, images, budget int, seed uint64) evaluate.Outcomes {
	names := make([]string, images)
	for i := range names {
		names[i] = fmt.Sprint(seed, i)
	}
	fold := evaluate.Folds(names, outerFolds)
	out := make([]evaluate.Outcome, 0, len(proposals))
	for k := range outerFolds {
		var others []calibrate.Correction
		for _, p := range proposals {
			if fold[p.image] != k {
				others = append(others, p.Correction)
			}
		}
		r := rand.New(rand.NewPCG(seed, uint64(k)))
		r.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
		probability := c.learn(others[:min(budget, len(others))])
		for _, p := range proposals {
			if fold[p.image] == k {
				out = append(out, evaluate.Outcome{Probability: float64(probability(p.Correction)), Happened: p.Accepted, Image: p.image})
			}
		}
	}
	return evaluate.SortOutcomes(out)
}

func (b *bench) calibrationTable(out io.Writer, name string, rows []calibrator, proposals []proposal, images int, plot string) error {
	accepted := 0
	for _, p := range proposals {
		if p.Accepted {
			accepted++
		}
	}
	fmt.Fprintf(out, "\n**%s**: %d proposals, %d accepted.\n\n| corrections | | NLL | Brier | ECE | ECE's interval, first draw |\n|---|---|---|---|---|---|\n", name, len(proposals), accepted)
	var curves []curve
	var verdicts []string
	var raw float64 // NLL
	for _, budget := range budgets {
		count := fmt.Sprint(budget)
		if budget > len(proposals) {
			count = fmt.Sprintf("all, about %d", len(proposals)*(outerFolds-1)/outerFolds)
		}
		other, ours := raw, 0.0 // NLL: the least of the others, and that of the last row
		for i, c := range rows {
			if (i == 0) != (budget == 0) {
				continue
			}
			var nll, brier, ece []float64
			var first evaluate.Outcomes
			for seed := range uint64(b.seeds) {
				os := crossCalibrate(c, proposals, images, budget, seed)
				nll, brier, ece = append(nll, os.NLL(nil)), append(brier, os.Brier(nil)), append(ece, os.ECE(nil))
				if seed == 0 {
					first = os
				}
			}
			switch median := report.Median(nll); {
			case budget == 0:
				raw = median
			case i+1 < len(rows):
				other = min(other, median)
			default:
				ours = median
			}
			interval := evaluate.Bootstrap(images, min(b.resamples, 1000), 1, first.ECE)
			fmt.Fprintf(out, "| %s | %s | %s | %s | %s | %.4f [%.4f, %.4f] |\n", count, c.name, spread(nll), spread(brier), spread(ece), interval.Value, interval.Low, interval.High)
			if budget == 0 || budget > len(proposals) {
				curves = append(curves, curve{strings.ReplaceAll(c.name, "*", ""), first.Bins(nil, 15)})
			}
		}
		if budget > 0 {
			word := "better"
			if ours >= other {
				word = "not better"
			}
			verdicts = append(verdicts, fmt.Sprintf("%s corrections %+.4f, %s", count, ours-other, word))
		}
	}
	fmt.Fprintf(out, "\nNLL of ours against the best of the others: %s.\n", strings.Join(verdicts, "; "))
	fmt.Fprintf(out, "\n![Reliability: %s](%s)\n", name, filepath.ToSlash(plot))
	return os.WriteFile(plot, reliability(name, curves), 0o644)
}

// spread is the median of values with the least and the greatest.
func spread(values []float64) string {
	if slices.Min(values) == slices.Max(values) {
		return fmt.Sprintf("%.4f", values[0])
	}
	return fmt.Sprintf("%.4f (%.4f to %.4f)", report.Median(values), slices.Min(values), slices.Max(values))
}
