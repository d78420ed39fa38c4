// Command lint measures how well lint tells label errors, and fits the weights that it ships with. `make bench-lint` measures and
// `make lint-weights` fits; models and images are those of GLEANER_DATA or ../shared/data, errors are put in and judged by the tools
// beside them.
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

	"gleaner/deploy/bench/report"
	"gleaner/deploy/e2e/realdata"
)

// options are the program's arguments.
type options struct {
	only    string // sections to run, by name, separated by commas
	fit     string // file that the weights are written to, instead of measuring
	write   string // markdown file
	python  string // interpreter that has Pillow
	scratch string
}

func sections() []report.Section[*bench] {
	return []report.Section[*bench]{
		{Name: "coco128", Run: (*bench).coco128},
		{Name: "ablation", Run: (*bench).ablation},
		{Name: "speed", Run: (*bench).speed},
	}
}

func main() {
	var o options
	flag.StringVar(&o.only, "only", report.Names(sections()), "sections to run")
	flag.StringVar(&o.fit, "fit", "", "fit the weights that are shipped, write them to this file, and measure nothing")
	flag.StringVar(&o.write, "write", "", "markdown file whose part between the lint marks is replaced by the results")
	flag.StringVar(&o.python, "python", ".tools/python/bin/python", "Python that has Pillow, for the tools that plant and judge errors")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-lint:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) (err error) {
	if err := report.Check(sections(), o.only); err != nil {
		return err
	}
	data, ok := realdata.Dir()
	if !ok {
		return errors.New("NOTHING WAS MEASURED: the real data is absent; set GLEANER_DATA to the folder that has it")
	}
	if data, err = filepath.Abs(data); err != nil {
		return err
	}
	if o.scratch, err = os.MkdirTemp("", "bench-lint"); err != nil {
		return err
	}
	b := &bench{options: o, data: data, sets: map[string][]*picture{}}
	defer func() { err = errors.Join(err, b.close(), os.RemoveAll(o.scratch)) }()
	if err := b.open(); err != nil {
		return err
	}
	if o.fit != "" {
		return b.ship(ctx, o.fit)
	}
	var results strings.Builder
	out := io.MultiWriter(os.Stdout, &results)
	fmt.Fprintln(out, report.Machine())
	fmt.Fprintf(out, "Command: `%s`.\n", report.Command("./deploy/bench/lint"))
	if err := report.Run(ctx, b, "bench-lint", sections(), o.only, out); err != nil {
		return err
	}
	if o.write != "" {
		return report.Replace(o.write, "lint", "bench-lint", results.String())
	}
	return nil
}
