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
	"log/slog"
	"os"

	"gleaner/connectors/engine"
	"gleaner/deploy/bench/report"
	"gleaner/deploy/config"
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

func suite() report.Suite[*bench] {
	return report.Suite[*bench]{
		Target: "bench", Package: "./deploy/bench", Marks: "bench",
		Sections: []report.Section[*bench]{
			{Name: "kafka", Run: (*bench).kafka},
			{Name: "desk", Run: (*bench).desk},
			{Name: "submit", Run: (*bench).submit},
			{Name: "stages", Run: (*bench).stages},
			{Name: "flow", Run: (*bench).flow},
		},
	}
}

func main() {
	engine.ClickHouseChild() // a process of its own for the embedded ClickHouse; does not return there
	var o options
	flag.StringVar(&o.only, "only", suite().Names(), "sections to run")
	flag.IntVar(&o.rounds, "rounds", 3, "rounds of the flow, each against a round of its kernels")
	flag.IntVar(&o.photos, "photos", 0, "how many photos go through the flow; 0: all there are")
	flag.IntVar(&o.inFlight, "in-flight", 128, "photos on their way through the flow at a time; 0: all at once, as a burst")
	flag.StringVar(&o.profile, "profile", "", "file for a processor profile of the last round of the flow")
	flag.StringVar(&o.write, "write", "", "markdown file; what stands between the marks of the sections that run is replaced by their results")
	flag.Parse()
	report.Main(suite().Target, func(ctx context.Context) error { return run(ctx, o) })
}

func run(ctx context.Context, o options) (err error) {
	if err := suite().Check(o.only); err != nil {
		return err
	}
	data, err := report.Data()
	if err != nil {
		return err
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
	return suite().Run(ctx, b, o.only, o.write)
}
