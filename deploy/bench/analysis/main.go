// Command analysis measures the way from the loss stream to what is kept, doubted and picked. `make bench-analysis` runs it; each
// section stands in a file of its own, and in BENCHMARKS.md between marks of its own.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

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

func sections() []report.Section[*bench] {
	return []report.Section[*bench]{
		{Name: "ingest", Run: (*bench).ingest},
		{Name: "codecs", Run: (*bench).codecs},
		{Name: "pick", Run: (*bench).pick},
		{Name: "pick-sparse", Run: (*bench).pickSparse},
		{Name: "pick-sieve", Run: (*bench).pickSieve},
		{Name: "unlabeled", Run: (*bench).unlabeled},
		{Name: "scores", Run: (*bench).scores},
		{Name: "errors", Run: (*bench).mistakes},
		{Name: "edge", Run: (*bench).edges},
	}
}

func main() {
	engine.ClickHouseChild() // a process of its own for the embedded ClickHouse; does not return there
	var o options
	flag.StringVar(&o.only, "only", report.Names(sections()), "sections to run")
	flag.IntVar(&o.rows, "rows", 0, "rows of losses; 0: 5 million through the topic, 100 million scored")
	flag.StringVar(&o.profile, "profile", "", "file for a processor profile of the analysis step in the ingest section")
	flag.IntVar(&o.seeds, "seeds", 2, "training runs of the sections errors and edge")
	flag.StringVar(&o.runs, "runs", "", "folder that keeps the losses of the training runs of the sections errors and edge: those that are there are not trained again")
	flag.StringVar(&o.write, "write", "", "markdown file that has a pair of marks for each section; what is between is replaced by its results")
	flag.StringVar(&o.python, "python", ".tools/analysis/bin/python", "Python that has the peers")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-analysis:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) (err error) {
	if err := report.Check(sections(), o.only); err != nil {
		return err
	}
	b := &bench{options: o, log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	if b.scratch, err = os.MkdirTemp("", "bench-analysis-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.scratch)) }()
	for name := range strings.SplitSeq(o.only, ",") {
		var results strings.Builder
		out := io.MultiWriter(os.Stdout, &results)
		fmt.Fprintf(out, "%s Command: `%s`.\n", report.Machine(), report.Command("./deploy/bench/analysis"))
		if err := report.Run(ctx, b, "bench-analysis", sections(), name, out); err != nil {
			return err
		}
		if o.write == "" {
			continue
		}
		if err := report.Replace(o.write, "analysis/"+name, "bench-analysis", results.String()); err != nil {
			return err
		}
	}
	return nil
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
