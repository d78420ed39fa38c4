package conventions

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"os"

	"gleaner/deploy/bench/prelabel/looks"
	"gleaner/deploy/bench/report"
	"gleaner/stages/prelabel"
	"gleaner/stages/prelabel/evaluate"
)

// Bounds that the last step must keep.
const (
	LeastRecovered = 0.8
	MostLost       = 0.005
)

// Options of a run.
type Options struct {
	Data   string // folder of real data
	Trials int    // orders of the photos
	Plot   string // SVG file to write; empty: none
}

// Result is what came out for one set.
type Result struct {
	Set             string
	Photos          int
	Recovered, Lost []float64 // of each trial after the last step
	trials          []trial
	slices          []evaluate.Slice // of the photos
}

// Run measures with a detector of COCO's classes and writes the figures as markdown. It takes half a minute of processor time for
// 324 photos with a small detector.
func Run(ctx context.Context, detector prelabel.Detector, o Options, out io.Writer) ([]Result, error) {
	var results []Result
	for _, s := range sets() {
		photos, err := s.load(ctx, detector, o.Data)
		if err != nil {
			return nil, fmt.Errorf("conventions: %s: %w", s.name, err)
		}
		r := Result{Set: s.name, Photos: len(photos)}
		seen := make([]looks.Look, len(photos))
		for i, p := range photos {
			seen[i] = p.look
		}
		r.slices = evaluate.Slices(looks.Slices(seen))
		for seed := range uint64(o.Trials) {
			t, err := s.run(photos, seed)
			if err != nil {
				return nil, fmt.Errorf("conventions: %w", err)
			}
			last := len(steps) - 1
			r.trials, r.Recovered, r.Lost = append(r.trials, t), append(r.Recovered, t.recovered(last)), append(r.Lost, t.lost(last))
		}
		results = append(results, r)
	}
	fmt.Fprintf(out, "Boxes of %s in images that were not learned from: %d orders of the photos, of which the first give corrections and the "+
		"others are measured on. Median IoU over the orders' medians, in brackets their least and greatest.\n\n", detector.Model().ID, o.Trials)
	for i, s := range sets() {
		results[i].write(out, s)
	}
	if o.Plot == "" {
		return results, nil
	}
	var svg bytes.Buffer
	plot(&svg, results)
	if err := os.WriteFile(o.Plot, svg.Bytes(), 0o644); err != nil {
		return nil, fmt.Errorf("conventions: %w", err)
	}
	return results, nil
}

// write writes the table of a set.
func (r Result) write(out io.Writer, s set) {
	held := pick(r.trials, func(t trial) float64 { return float64(t.heldOut) })
	fmt.Fprintf(out, "**%s**: %s proposed, %s labeled, %s; %d photos, %.0f to %.0f boxes measured on.\n\n", s.name, s.class, s.labeled, s.rule, r.Photos, least(held), greatest(held))
	fmt.Fprintln(out, "| corrections | IoU, labels by the rule | recovered of what the rule costs | IoU, labels as they are | IoU lost with nothing to learn |")
	fmt.Fprintln(out, "|---|---|---|---|---|")
	for i, n := range steps {
		recovered := "–"
		if i > 0 {
			recovered = spread("%.0f %%", scale(100, pick(r.trials, func(t trial) float64 { return t.recovered(i) })))
		}
		fmt.Fprintf(out, "| %d | %s | %s | %s | %s |\n", n,
			spread("%.3f", pick(r.trials, func(t trial) float64 { return t.ruled[i] })), recovered,
			spread("%.3f", pick(r.trials, func(t trial) float64 { return t.drawn[i] })),
			spread("%.4f", pick(r.trials, func(t trial) float64 { return t.lost(i) })))
	}
	kept := 0
	for _, v := range r.Recovered {
		if v >= LeastRecovered {
			kept++
		}
	}
	fmt.Fprintf(out, "\nAfter %d corrections %d of %d orders recover %.0f %% or more.%s\n\n", steps[len(steps)-1], kept, len(r.Recovered), 100*LeastRecovered, r.worst())
}

// worst says in which slice of the photos boxes are farthest from labels by the rule in the end, over all orders.
func (r Result) worst() string {
	median := func(images []int, of func(trial) map[int][]float64) float64 {
		var all []float64
		for _, t := range r.trials {
			for _, i := range images {
				all = append(all, of(t)[i]...)
			}
		}
		if len(all) == 0 {
			return math.NaN()
		}
		return report.Median(all)
	}
	last := func(t trial) map[int][]float64 { return t.last }
	said, least := "", math.Inf(1)
	for _, part := range r.slices {
		if got := median(part.Images, last); len(part.Images) >= looks.Least && got < least {
			least = got
			said = fmt.Sprintf(" The worst slice then: **%s**, median IoU %.3f on %d photos, and %.3f without corrections.", part.Name, got, len(part.Images),
				median(part.Images, func(t trial) map[int][]float64 { return t.first }))
		}
	}
	return said
}

// spread is the median of values with the least and the greatest.
func spread(format string, values []float64) string {
	return fmt.Sprintf(format+" ("+format+" to "+format+")", report.Median(values), least(values), greatest(values))
}

func least(values []float64) float64    { return report.Quantile(values, 0) }
func greatest(values []float64) float64 { return report.Quantile(values, 1) }

func scale(by float64, values []float64) []float64 {
	for i := range values {
		values[i] *= by
	}
	return values
}

func pick(trials []trial, of func(trial) float64) []float64 {
	out := make([]float64, len(trials))
	for i, t := range trials {
		out[i] = of(t)
	}
	return out
}
