// Command analysis measures the way from the loss stream to what is kept, doubted and picked. `make bench-analysis` runs it; each
// section stands in a file of its own, and in BENCHMARKS.md between marks of its own.
package main

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"os"

	"gleaner/connectors/engine"
	"gleaner/deploy/bench/report"
	"gleaner/deploy/config"
	"gleaner/deploy/wire"
)

// options are the program's arguments.
type options struct {
	only    string // sections to run, by name, separated by commas
	rows    int    // of losses; 0: as many as a section asks for
	profile string // file for the processor profile of the ingest section
	seeds   int    // of training runs
	runs    string // folder that keeps the losses of training runs
	write   string // markdown file
	python  string // interpreter that has the peers
}

// bench is what the sections share.
type bench struct {
	options
	scratch string // folder that is removed at the end
	log     *slog.Logger
}

func suite() report.Suite[*bench] {
	return report.Suite[*bench]{
		Target: "bench-analysis", Package: "./deploy/bench/analysis", Marks: "analysis",
		Sections: []report.Section[*bench]{
			{Name: "ingest", Run: (*bench).ingest},
			{Name: "codecs", Run: (*bench).codecs},
			{Name: "pick", Run: (*bench).pick},
			{Name: "pick-sparse", Run: (*bench).pickSparse},
			{Name: "pick-sieve", Run: (*bench).pickSieve},
			{Name: "unlabeled", Run: (*bench).unlabeled},
			{Name: "scores", Run: (*bench).scores},
			{Name: "errors", Run: (*bench).mistakes},
			{Name: "edge", Run: (*bench).edges},
		},
	}
}

func main() {
	engine.ClickHouseChild() // a process of its own for the embedded ClickHouse; does not return there
	var o options
	flag.StringVar(&o.only, "only", suite().Names(), "sections to run")
	flag.IntVar(&o.rows, "rows", 0, "rows of losses; 0: 5 million through the topic, 100 million scored")
	flag.StringVar(&o.profile, "profile", "", "file for a processor profile of the analysis step in the ingest section")
	flag.IntVar(&o.seeds, "seeds", 2, "training runs of the sections errors and edge")
	flag.StringVar(&o.runs, "runs", "", "folder that keeps the losses of the training runs of the sections errors and edge: those that are there are not trained again")
	flag.StringVar(&o.write, "write", "", "markdown file; what stands between the marks of the sections that run is replaced by their results")
	flag.StringVar(&o.python, "python", ".tools/analysis/bin/python", "Python that has the peers")
	flag.Parse()
	report.Main(suite().Target, func(ctx context.Context) error { return run(ctx, o) })
}

func run(ctx context.Context, o options) (err error) {
	if err := suite().Check(o.only); err != nil {
		return err
	}
	b := &bench{options: o, log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	if b.scratch, err = os.MkdirTemp("", "bench-analysis-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.scratch)) }()
	return suite().Run(ctx, b, o.only, o.write)
}

// system starts engines in an empty folder, with the topics and the schema made, and connects to them. stop ends all of it.
func (b *bench) system(ctx context.Context) (conn *wire.Connections, stop func() error, err error) {
	dir, err := os.MkdirTemp(b.scratch, "system-")
	if err != nil {
		return nil, nil, err
	}
	cfg, err := config.Default().In(dir)
	if err != nil {
		return nil, nil, err
	}
	cfg.Web.Address = "127.0.0.1:0"
	engines, err := wire.StartEngines(ctx, cfg, b.log)
	if err != nil {
		return nil, nil, err
	}
	stop = engines.Stop
	if conn, err = wire.Connect(ctx, cfg, engines.At, "bench", b.log); err != nil {
		return nil, nil, errors.Join(err, stop())
	}
	stop = func() error {
		return errors.Join(conn.Close(context.WithoutCancel(ctx)), engines.Stop(), os.RemoveAll(dir))
	}
	if err := conn.Prepare(ctx); err != nil {
		return nil, nil, errors.Join(err, stop())
	}
	return conn, stop, nil
}
