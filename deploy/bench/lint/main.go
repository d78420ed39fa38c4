// Command lint measures how well lint tells label errors, and fits the weights that it ships with. `make bench-lint` measures and
// `make lint-weights` fits; models and images are those of GLEANER_DATA or ../shared/data, errors are put in and judged by the tools
// beside them.
package main

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"

	"gleaner/deploy/bench/report"
	"gleaner/schemas/labelmap"
)

// options are the program's arguments.
type options struct {
	only    string // sections to run, by name, separated by commas
	fit     string // file that the weights are written to, instead of measuring
	write   string // markdown file
	python  string // interpreter that has Pillow
	scratch string
}

func suite() report.Suite[*bench] {
	return report.Suite[*bench]{
		Target: "bench-lint", Package: "./deploy/bench/lint", Marks: "lint",
		Sections: []report.Section[*bench]{
			{Name: "coco128", Run: (*bench).coco128},
			{Name: "ablation", Run: (*bench).ablation},
			{Name: "speed", Run: (*bench).speed},
		},
	}
}

func main() {
	var o options
	flag.StringVar(&o.only, "only", suite().Names(), "sections to run")
	flag.StringVar(&o.fit, "fit", "", "fit the weights that are shipped, write them to this file, and measure nothing")
	flag.StringVar(&o.write, "write", "", "markdown file; what stands between the marks of the sections that run is replaced by their results")
	flag.StringVar(&o.python, "python", ".tools/python/bin/python", "Python that has Pillow, for the tools that plant and judge errors")
	flag.Parse()
	report.Main(suite().Target, func(ctx context.Context) error { return run(ctx, o) })
}

// keptMaps is more than the pixels of all the pictures together.
const keptMaps = 1 << 28

func run(ctx context.Context, o options) (err error) {
	if err := suite().Check(o.only); err != nil {
		return err
	}
	data, err := report.Data()
	if err != nil {
		return err
	}
	if data, err = filepath.Abs(data); err != nil {
		return err
	}
	if o.scratch, err = os.MkdirTemp("", "bench-lint"); err != nil {
		return err
	}
	b := &bench{options: o, data: data, sets: map[string][]*picture{}, maps: labelmap.NewRecent(keptMaps)}
	defer func() { err = errors.Join(err, b.close(), os.RemoveAll(o.scratch)) }()
	if err := b.open(); err != nil {
		return err
	}
	if o.fit != "" {
		return b.ship(ctx, o.fit)
	}
	return suite().Run(ctx, b, o.only, o.write)
}
