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
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"gleaner/connectors/engine"
	"gleaner/connectors/onnx"
	"gleaner/deploy/bench/prelabel/conventions"
	"gleaner/deploy/bench/report"
	"gleaner/deploy/e2e/realdata"
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

func sections() []report.Section[*bench] {
	return []report.Section[*bench]{
		{Name: "fusion", Run: (*bench).fusion},
		{Name: "calibration", Run: (*bench).calibration},
		{Name: "slices", Run: (*bench).slices},
		{Name: "conventions", Run: (*bench).conventions},
		{Name: "heterogeneous", Run: (*bench).heterogeneous},
		{Name: "hotswap", Run: (*bench).hotswap},
		{Name: "throughput", Run: (*bench).throughput},
	}
}

func main() {
	engine.ClickHouseChild() // a process of its own for the embedded ClickHouse; does not return there
	var o options
	flag.StringVar(&o.only, "only", report.Names(sections()), "sections to run")
	flag.IntVar(&o.resamples, "resamples", 2000, "resamples of the images for an interval")
	flag.IntVar(&o.seeds, "seeds", 5, "times that what chance decides is done over")
	flag.StringVar(&o.plots, "plots", "deploy/bench/prelabel/plots", "folder that the plots are written to")
	flag.StringVar(&o.write, "write", "", "markdown file whose part between the prelabel marks is replaced by the results")
	flag.StringVar(&o.python, "python", ".tools/python/bin/python", "Python that has Pillow and OpenCV, for their JPEG decoders")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-prelabel:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) (err error) {
	if err := report.Check(sections(), o.only); err != nil {
		return err
	}
	if o.seeds < 1 || o.resamples < 100 {
		return fmt.Errorf("-seeds %d -resamples %d: at least 1 and 100 are needed", o.seeds, o.resamples)
	}
	data, ok := realdata.Dir()
	if !ok {
		return errors.New("NOTHING WAS MEASURED: the real data is absent; set GLEANER_DATA to the folder that has it")
	}
	if err := os.MkdirAll(o.plots, 0o755); err != nil {
		return err
	}
	b := &bench{options: o, data: data}
	var results strings.Builder
	out := io.MultiWriter(os.Stdout, &results)
	fmt.Fprintln(out, report.Machine())
	fmt.Fprintf(out, "Command: `%s`.\n", report.Command("./deploy/bench/prelabel"))
	defer func() { err = errors.Join(err, b.close()) }()
	if err := b.open(); err != nil {
		return err
	}
	if err := report.Run(ctx, b, "bench-prelabel", sections(), o.only, out); err != nil {
		return err
	}
	if o.write != "" {
		return report.Replace(o.write, "prelabel", "bench-prelabel", results.String())
	}
	return nil
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
