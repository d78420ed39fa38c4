// Command bench measures the whole system in one process, on the real engines and real photos, beside the limits that it
// cannot pass: the bare kernels, the bare database. It writes its figures as markdown. `make bench` runs it; the photos are
// those of GLEANER_DATA or ../shared/data.
//
// Every section takes its measures interleaved and reports medians, and beside the clock the processor time of this process
// and of the embedded ClickHouse, which other load on the machine disturbs less.
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
	"gleaner/deploy/e2e/realdata"
	"gleaner/deploy/wire"
)

// options are the program's arguments.
type options struct {
	only   string // sections to run, by name, separated by commas
	rounds int    // of the flow
	photos int    // 0: all
	// inFlight photos at most are between the push and the desk; 0: no limit.
	inFlight int
	profile  string // file for the processor profile of the flow
	write    string // file that holds the results between two marks
}

// bench is what the sections share.
type bench struct {
	options
	data string // folder of real data
	cfg  config.Config
	conn *wire.Connections
	log  *slog.Logger
}

func sections() []report.Section[*bench] {
	return []report.Section[*bench]{
		{Name: "kafka", Run: (*bench).kafka},
		{Name: "desk", Run: (*bench).desk},
		{Name: "submit", Run: (*bench).submit},
		{Name: "stages", Run: (*bench).stages},
		{Name: "flow", Run: (*bench).flow},
	}
}

func main() {
	engine.ClickHouseChild() // a process of its own for the embedded ClickHouse; does not return there
	var o options
	flag.StringVar(&o.only, "only", report.Names(sections()), "sections to run")
	flag.IntVar(&o.rounds, "rounds", 3, "rounds of the flow, each against a round of its kernels")
	flag.IntVar(&o.photos, "photos", 0, "how many photos go through the flow; 0: all there are")
	flag.IntVar(&o.inFlight, "in-flight", 128, "photos on their way through the flow at a time; 0: all at once, as a burst")
	flag.StringVar(&o.profile, "profile", "", "file for a processor profile of the last round of the flow")
	flag.StringVar(&o.write, "write", "", "markdown file whose part between the bench marks is replaced by the results")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
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
	dir, err := os.MkdirTemp("", "gleaner-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{options: o, data: data, log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	if b.cfg, err = config.Default().In(dir); err != nil {
		return err
	}
	b.cfg.Web.Address = "127.0.0.1:0"
	if err := b.cfg.UseModel(b.path("models", "yolox_nano.onnx")); err != nil {
		return err
	}
	engines, err := wire.StartEngines(ctx, b.cfg, b.log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engines.Stop()) }()
	if b.conn, err = wire.Connect(ctx, b.cfg, engines.At, "bench", b.log); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.conn.Close(context.WithoutCancel(ctx))) }()
	if err := b.conn.Prepare(ctx); err != nil {
		return err
	}

	var results strings.Builder
	out := io.MultiWriter(os.Stdout, &results)
	fmt.Fprintln(out, report.Machine())
	if err := report.Run(ctx, b, "bench", sections(), o.only, out); err != nil {
		return err
	}
	if o.write != "" {
		return report.Replace(o.write, "results", "bench", results.String())
	}
	return nil
}
