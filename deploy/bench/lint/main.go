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
	"slices"
	"strings"
	"syscall"
	"time"

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

// section is one part of the report.
type section struct {
	name string
	run  func(*bench, context.Context, io.Writer) error
}

func sections() []section {
	return []section{
		{"coco128", (*bench).coco128},
		{"ablation", (*bench).ablation},
		{"speed", (*bench).speed},
	}
}

func main() {
	var o options
	names := make([]string, 0, len(sections()))
	for _, s := range sections() {
		names = append(names, s.name)
	}
	flag.StringVar(&o.only, "only", strings.Join(names, ","), "sections to run")
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
	wanted := strings.Split(o.only, ",")
	for _, name := range wanted {
		if !slices.ContainsFunc(sections(), func(s section) bool { return s.name == name }) {
			return fmt.Errorf("-only %s: there is no section %s", o.only, name)
		}
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
	for _, s := range sections() {
		if !slices.Contains(wanted, s.name) {
			continue
		}
		began := time.Now()
		if err := s.run(b, ctx, out); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		fmt.Fprintf(os.Stderr, "bench-lint: %s took %.0f s\n", s.name, time.Since(began).Seconds())
	}
	if o.write != "" {
		return report.Replace(o.write, "lint", "bench-lint", results.String())
	}
	return nil
}
