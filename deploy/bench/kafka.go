package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"

	"gleaner/deploy/bench/meter"

	"gleaner/connectors/kafka"
	"gleaner/schemas"
)

// kafka measures the connector on the embedded engine: records of 100 KB that do not compress, written durably by eight
// callers, then read by a group of one member.
func (b *bench) kafka(ctx context.Context, out io.Writer) error {
	const size, records, batch = 100_000, 2560, 64
	spec, _ := schemas.Raw.Spec()
	spec.Name = "bench.raw"
	if err := b.conn.Kafka.EnsureTopics(ctx, []schemas.TopicSpec{spec}); err != nil {
		return err
	}
	value := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(value) // never fails
	sink := b.conn.Kafka.Sink()
	defer sink.Close(context.WithoutCancel(ctx))
	from := meter.Read()
	err := each(records/batch, 8, func(i int) error {
		batch := make([]schemas.Record, batch)
		for j := range batch {
			batch[j] = schemas.Record{Topic: spec.Name, Key: fmt.Append(nil, i, j), Value: value}
		}
		return sink.Write(ctx, batch)
	})
	if err != nil {
		return err
	}
	in := from.Since()

	source, err := b.conn.Kafka.Source(kafka.SourceConfig{Group: "bench", Topic: spec.Name})
	if err != nil {
		return err
	}
	defer source.Close(context.WithoutCancel(ctx))
	first := 0
	for have := 0; have < records; {
		d, err := source.Read(ctx)
		if err != nil {
			return err
		}
		if have == 0 { // joining the group is over
			first, from = len(d.Records), meter.Read()
		}
		for j := range d.Records {
			d.Ack(j)
		}
		have += len(d.Records)
	}
	outward := from.Since()
	mb := float64(size) / 1e6
	fmt.Fprintf(out, "\n### Kafka connector\n\n%d records of 100 KB on the embedded engine, written durably (acknowledged by all, synced to disk), then read by a group; the engine's work is in the figures.\n\n"+
		"| | MB/s | processor time a GB |\n|---|---|---|\n| in | %.0f | %.1f s |\n| out | %.0f | %.1f s |\n", records,
		records*mb/in.Wall.Seconds(), in.CPU().Seconds()/(records*mb)*1e3,
		float64(records-first)*mb/outward.Wall.Seconds(), outward.CPU().Seconds()/(float64(records-first)*mb)*1e3)
	return nil
}
