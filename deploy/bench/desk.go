package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"gleaner/deploy/bench/meter"

	"gleaner/connectors/kafka"
	"gleaner/deploy/bench/report"
	"gleaner/schemas"
	"gleaner/stages/humanlabel"
)

const (
	deskSeconds = 8 // how long each rate is kept up
	deskQueue   = "bench-desk"
)

// desk measures how long a person's command takes until it is on the log, acknowledged, folded and answered. Commands come at
// a fixed rate, whatever the answers take, and time counts from when each was due.
func (b *bench) desk(ctx context.Context, out io.Writer) error {
	rates := []int{200, 1000}
	tasks := 0
	for _, r := range rates {
		tasks += r * deskSeconds
	}
	if err := createTasks(ctx, b.conn.Kafka, tasks); err != nil {
		return err
	}
	d, err := humanlabel.New(b.cfg.Desk, b.conn.Kafka, b.conn.Blobs, b.log)
	if err != nil {
		return err
	}
	running, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- d.Run(running) }()
	defer func() {
		cancel()
		<-ended //nolint:errcheck // why it ended was told to those who waited
	}()
	// The first command waits for the log's beginning, which a desk writes when it has started.
	if _, err := d.Do(ctx, schemas.Command{Actor: "bench", Kind: schemas.CommandTick}); err != nil {
		return err
	}
	claim, err := json.Marshal(schemas.ClaimBody{Queue: deskQueue, Lease: time.Hour})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n### The desk\n\nClaims from a queue of %d tasks, at a fixed rate for %d s: from when a command was due until it was on the log, "+
		"folded and answered.\n\n| commands/s | p50 | p99 | largest | processor time a command |\n|---|---|---|---|---|\n", tasks, deskSeconds)
	for _, rate := range rates {
		took := make([]time.Duration, rate*deskSeconds)
		errs := make([]error, len(took))
		var group sync.WaitGroup
		from := meter.Read()
		start := time.Now().Add(100 * time.Millisecond)
		for i := range took {
			due := start.Add(time.Duration(i) * time.Second / time.Duration(rate))
			time.Sleep(time.Until(due))
			group.Go(func() {
				o, err := d.Do(ctx, schemas.Command{
					ID: fmt.Sprintf("claim-%d-%d", rate, i), Actor: fmt.Sprint("person-", i%50), Kind: schemas.CommandClaim,
					Body: claim,
				})
				took[i] = time.Since(due)
				if err == nil && o.Verdict != schemas.Applied {
					err = fmt.Errorf("claim %d: %s %s", i, o.Verdict, o.Reason)
				}
				errs[i] = err
			})
		}
		group.Wait()
		for _, err := range errs {
			if err != nil {
				return err
			}
		}
		used := from.Since()
		fmt.Fprintf(out, "| %d | %.1f ms | %.1f ms | %.1f ms | %.2f ms |\n", rate, report.Millis(report.Median(took)), report.Millis(report.Quantile(took, .99)), report.Millis(report.Quantile(took, 1)), report.Millis(used.Own)/float64(len(took)))
	}
	return nil
}

// createTasks writes to the log what opens the tasks.
func createTasks(ctx context.Context, c *kafka.Client, n int) error {
	sink := c.Sink()
	defer sink.Close(context.WithoutCancel(ctx))
	records := make([]schemas.Record, n)
	for i := range records {
		var id schemas.SampleID
		binary.BigEndian.PutUint64(id[:], uint64(i+1))
		body, err := json.Marshal(schemas.CreateBody{
			SampleID: id, Dataset: deskQueue, UniqueID: fmt.Sprintf("camera-7/%08d.jpg", i), Task: "detect", Queue: deskQueue,
			Priority: float64(i%1000) / 1000, Reason: "missing: a person that no label covers",
			Body: schemas.BlobRef{Key: schemas.BodyKey(schemas.Hash(append(id[:], id[:]...))), Size: 4096},
		})
		if err != nil {
			return err
		}
		create := schemas.Command{ID: "create-" + id.String(), Actor: "bench", At: time.Now().UTC(), Kind: schemas.CommandCreate, Body: body}
		if records[i], err = create.Record(); err != nil {
			return err
		}
	}
	return sink.Write(ctx, records)
}
