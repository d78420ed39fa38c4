package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"gleaner/deploy/bench/meter"

	"gleaner/connectors/web"
	"gleaner/deploy/bench/report"
	"gleaner/deploy/wire"
	"gleaner/schemas"
)

// pushChunk is how many photos are pushed together while others are on their way.
const pushChunk = 32

// passage is one dataset's way through the flow.
type passage struct {
	rejected map[string]bool // by unique id
	desk     meter.Cost      // from the first push until every photo was on the desk or rejected
	catalog  meter.Cost      // until the catalog had its records of all of them too
	kernels  time.Duration   // processor time within the kernels
}

// flow measures all photos through the whole system against the bare kernels on the same cores.
func (b *bench) flow(ctx context.Context, out io.Writer) error {
	photos, err := b.readPhotos()
	if err != nil {
		return err
	}
	k, err := b.openKernels()
	if err != nil {
		return err
	}
	defer k.close()
	s, stop, err := b.start(ctx, wire.AllSteps())
	if err != nil {
		return err
	}
	defer stop()
	if _, err := b.pass(ctx, s, "warm", photos[:min(32, len(photos))]); err != nil {
		return err
	}
	idle := meter.Read()
	time.Sleep(5 * time.Second)
	rest := idle.Since()

	var last passage
	var bare, desk, catalog []meter.Cost
	var own []time.Duration
	var missed []float64 // of the kernels' time, by the profile: what ONNX Runtime spends in the C library is put down to no caller
	for i := range b.rounds {
		if last, err = b.pass(ctx, s, fmt.Sprint("bench", i), photos); err != nil {
			return err
		}
		c, seen, err := k.round(ctx, photos, last.rejected)
		if err != nil {
			return err
		}
		unseen := c.CPU().Seconds() / seen.Seconds()
		last.kernels = time.Duration(float64(last.kernels) * unseen)
		desk, catalog, own, bare = append(desk, last.desk), append(catalog, last.catalog), append(own, last.kernels), append(bare, c)
		missed = append(missed, unseen-1)
		fmt.Fprintf(os.Stderr, "bench: flow round %d: %.1f s and %.1f cpu s (ClickHouse %.1f, kernels %.1f), kernels alone %.1f s and %.1f cpu s\n",
			i, last.desk.Wall.Seconds(), last.catalog.CPU().Seconds(), last.catalog.Children.Seconds(), last.kernels.Seconds(), c.Wall.Seconds(), c.CPU().Seconds())
	}
	wall := func(c meter.Cost) time.Duration { return c.Wall }
	n := float64(len(photos))
	fmt.Fprintf(out, "\n### The flow\n\n%d photos of coco128, bccd, raccoon and bsds500, %d of them rejected by ingest, from the raw topic to the desk, %s, "+
		"with yolox_nano, every step, the page and both embedded engines in one process. Medians of %d rounds, each with a round of the kernels "+
		"(decoding, the bare network, SLIC) on the same photos and cores.\n\n", len(photos), len(last.rejected), pushing(b.inFlight), b.rounds)
	fmt.Fprintf(out, "| | time | photos/s | processor time a photo |\n|---|---|---|---|\n")
	row := func(name string, clock, cpu []meter.Cost) {
		t := medianOf(clock, wall)
		fmt.Fprintf(out, "| %s | %.1f s | %.1f | %.1f ms |\n", name, t.Seconds(), n/t.Seconds(), report.Millis(medianOf(cpu, meter.Cost.CPU))/n)
	}
	row("kernels alone", bare, bare)
	row("flow, to the desk (processor time: to the catalog)", desk, catalog)
	row("flow, to the desk and the catalog", catalog, catalog)
	ratio := func(clock []meter.Cost, of func(meter.Cost) time.Duration) float64 {
		return medianOf(clock, of).Seconds() / medianOf(bare, of).Seconds()
	}
	byClock, byCPU := ratio(desk, wall), ratio(catalog, meter.Cost.CPU)
	within := report.Median(own)
	byOwn := medianOf(catalog, meter.Cost.CPU).Seconds() / within.Seconds()
	fmt.Fprintf(out, "\nIn the flow the kernels took %.1f ms of processor time a photo (sampled, and %.1f %% more for what the samples of kernels alone miss of them): flow over its kernels' own time **%.2f, overhead %.0f %%** "+
		"(aim: at most 35 %%). Over kernels alone, whose data stay in the processor's caches from one to the next: **%.2f by processor time and %.2f by the clock, overhead %.0f %% and %.0f %%**. "+
		"Of the flow's processor time the embedded ClickHouse took %.1f ms a photo. The idle system takes %.1f %% of one core, ClickHouse %.1f %% of that core.\n",
		report.Millis(within)/n, 100*report.Median(missed), byOwn, 100*(byOwn-1), byCPU, byClock, 100*(byCPU-1), 100*(byClock-1), report.Millis(medianOf(catalog, func(c meter.Cost) time.Duration { return c.Children }))/n,
		100*rest.CPU().Seconds()/rest.Wall.Seconds(), 100*rest.Children.Seconds()/rest.Wall.Seconds())
	return nil
}

func pushing(inFlight int) string {
	if inFlight == 0 {
		return "pushed all at once"
	}
	return fmt.Sprintf("at most %d of them on their way at a time", inFlight)
}

func medianOf(costs []meter.Cost, of func(meter.Cost) time.Duration) time.Duration {
	values := make([]time.Duration, len(costs))
	for i, c := range costs {
		values[i] = of(c)
	}
	return report.Median(values)
}

// start runs some steps; stop ends them.
func (b *bench) start(ctx context.Context, steps []string) (s *wire.System, stop func(), err error) {
	if s, err = b.conn.NewSystem(steps); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	return s, func() {
		cancel()
		if err := <-ended; err != nil {
			b.log.Error("the steps did not end well", "error", err)
		}
	}, nil
}

// pass sends the photos through as a dataset of their own.
func (b *bench) pass(ctx context.Context, s *wire.System, dataset string, photos []photo) (p passage, err error) {
	r, err := meter.Record(b.profile)
	if err != nil {
		return p, err
	}
	defer func() {
		var e error
		p.kernels, e = r.End(kernelFunctions...)
		err = errors.Join(err, e)
	}()
	files := make([]wire.PushFile, len(photos))
	for i := range photos {
		files[i] = photos[i].PushFile
	}
	before, err := s.Status(ctx)
	if err != nil {
		return p, err
	}
	from := meter.Read()
	rejected := 0
	for pushed := 0; ; {
		most := len(photos)
		if b.inFlight > 0 {
			most = min(most, s.Queue(dataset).Open+rejected+b.inFlight)
		}
		if most == len(photos) || most >= pushed+pushChunk {
			if _, err := b.conn.Push(ctx, files[pushed:most], wire.PushOptions{Dataset: dataset, Again: true}, nil); err != nil {
				return p, err
			}
			pushed = most
		}
		done := 0
		err = b.until(ctx, s, func(now web.Status) bool {
			rejected = int(step(now, "ingest").Rejected - step(before, "ingest").Rejected)
			done = s.Queue(dataset).Open + rejected
			return done == len(photos) || pushed < len(photos) && done+b.inFlight >= min(pushed+pushChunk, len(photos))
		})
		if err != nil {
			return p, err
		}
		if done == len(photos) {
			break
		}
	}
	p.desk = from.Since()
	records := uint64(5*(len(photos)-rejected) + rejected) // samples, prelabeled, embeddings, segmented and linted, or rejected
	err = b.until(ctx, s, func(now web.Status) bool {
		c := step(now, "catalog")
		return c.In-step(before, "catalog").In == records && c.InFlight == 0
	})
	if err != nil {
		return p, err
	}
	p.catalog = from.Since()
	p.rejected = map[string]bool{}
	err = b.conn.Kafka.Scan(ctx, schemas.Rejects, func(r schemas.Record) error {
		v, err := schemas.DecodeRejected(r.Value)
		if err == nil && v.Sample.Dataset == dataset {
			p.rejected[v.Sample.UniqueID] = true
		}
		return err
	})
	return p, err
}

// until polls the steps, which costs nothing worth counting.
func (b *bench) until(ctx context.Context, s *wire.System, done func(web.Status) bool) error {
	for {
		now, err := s.Status(ctx)
		if err = errors.Join(err, s.Failed()); err != nil {
			return err
		}
		if done(now) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func step(s web.Status, name string) web.StepStatus {
	for _, step := range s.Steps {
		if step.Step == name {
			return step
		}
	}
	return web.StepStatus{}
}
