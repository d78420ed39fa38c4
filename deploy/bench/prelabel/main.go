// Command prelabel measures what prelabel makes of models: fusion of several, calibration of their scores, where they are
// worst, what is learned of labeling rules, what becomes of datasets with different objects and of samples while models change, and what the step costs. It writes
// its figures as markdown and its plots as SVG files. `make bench-prelabel` runs it; models and images are those of GLEANER_DATA
// or ../shared/data.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"gleaner/connectors/engine"
	"gleaner/connectors/onnx"
	"gleaner/deploy/bench/prelabel/conventions"
	"gleaner/deploy/bench/report"
	"gleaner/stages/prelabel"
)

// options are the program's arguments.
type options struct {
	only      string // sections to run, by name, separated by commas
	resamples int    // of each bootstrap
	seeds     int    // of what is drawn by chance
	plots     string // folder of the plots
	write     string // file that holds the results between two marks
	python    string // interpreter that has libjpeg-turbo
}

// bench is what the sections share.
type bench struct {
	options
	data      string // folder of real data
	sessions  []*onnx.Session
	detectors []prelabel.Detector
	classes   []string          // that the models know
	super     map[string]string // of each class
	coco      *scored
}

func suite() report.Suite[*bench] {
	return report.Suite[*bench]{
		Target: "bench-prelabel", Package: "./deploy/bench/prelabel", Marks: "prelabel",
		Sections: []report.Section[*bench]{
			{Name: "fusion", Run: (*bench).fusion},
			{Name: "calibration", Run: (*bench).calibration},
			{Name: "slices", Run: (*bench).slices},
			{Name: "tiles", Run: (*bench).tiles},
			{Name: "conventions", Run: (*bench).conventions},
			{Name: "heterogeneous", Run: (*bench).heterogeneous},
			{Name: "hotswap", Run: (*bench).hotswap},
			{Name: "throughput", Run: (*bench).throughput},
		},
	}
}

func main() {
	engine.ClickHouseChild() // a process of its own for the embedded ClickHouse; does not return there
	var o options
	flag.StringVar(&o.only, "only", suite().Names(), "sections to run")
	flag.IntVar(&o.resamples, "resamples", 2000, "resamples of the images for an interval")
	flag.IntVar(&o.seeds, "seeds", 5, "times that what chance decides is done over")
	flag.StringVar(&o.plots, "plots", "deploy/bench/prelabel/plots", "folder that the plots are written to")
	flag.StringVar(&o.write, "write", "", "markdown file; what stands between the marks of the sections that run is replaced by their results")
	flag.StringVar(&o.python, "python", ".tools/python/bin/python", "Python that has Pillow and OpenCV, for their JPEG decoders")
	flag.Parse()
	report.Main(suite().Target, func(ctx context.Context) error { return run(ctx, o) })
}

func run(ctx context.Context, o options) (err error) {
	if err := suite().Check(o.only); err != nil {
		return err
	}
	if o.seeds < 1 || o.resamples < 100 {
		return fmt.Errorf("-seeds %d -resamples %d: at least 1 and 100 are needed", o.seeds, o.resamples)
	}
	data, err := report.Data()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(o.plots, 0o755); err != nil {
		return err
	}
	b := &bench{options: o, data: data}
	defer func() { err = errors.Join(err, b.close()) }()
	if err := b.open(); err != nil {
		return err
	}
	return suite().Run(ctx, b, o.only, o.write)
}

// conventions measures what is learned of labeling rules, with the first model.
func (b *bench) conventions(ctx context.Context, out io.Writer) error {
	fmt.Fprint(out, "\n### Conventions\n\n")
	plot := filepath.Join(b.plots, "conventions.svg")
	if _, err := conventions.Run(ctx, b.detectors[0], conventions.Options{Data: b.data, Trials: 4 * b.seeds, Plot: plot}, out); err != nil {
		return err
	}
	fmt.Fprintf(out, "![IoU against corrections](%s)\n", filepath.ToSlash(plot))
	return nil
}
