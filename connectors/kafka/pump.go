package kafka

// The way of a partition's records from the log into deliveries.

import (
	"context"

	"gleaner/schemas"
)

// pump hands out the records of one assigned partition until the context ends. A delivery grows while nobody reads, up to
// its limits: readers that are quick get their records at once, slow ones get many.
func (s *Source) pump(ctx context.Context, r *reader, f *feed, t *tracker, lost <-chan struct{}) {
	cfg := s.client.cfg.Consume
	var b batch
	var rest []schemas.Record // fetched, not yet in a delivery
	for {
		for len(rest) > 0 && !b.full(cfg) && t.unacked() < cfg.UnackedRecords {
			b.add(t, rest[0])
			f.pending.Add(-int64(rest[0].Size()))
			rest[0] = schemas.Record{}
			rest = rest[1:]
		}
		r.taken()
		var (
			in    <-chan []schemas.Record
			moved <-chan struct{}
			out   chan<- schemas.Delivery
			d     schemas.Delivery
		)
		switch {
		case len(rest) == 0:
			in = f.in
		case !b.full(cfg):
			moved = t.moved
		}
		if len(b.records) > 0 {
			out, d = s.out, b.delivery(t, lost)
		}
		select {
		case rest = <-in:
		case out <- d:
			s.client.metrics.read.WithLabelValues(s.cfg.Group, string(s.cfg.Topic)).Add(float64(len(b.records)))
			s.client.metrics.readBytes.WithLabelValues(s.cfg.Group, string(s.cfg.Topic)).Add(float64(b.bytes))
			b = batch{}
		case <-moved:
		case <-ctx.Done():
			t.drop(len(b.records))
			return
		}
	}
}

// alarm counts and logs records that were gone before the group read them.
func (s *Source) alarm(e *OffsetError) error {
	s.client.metrics.lost.WithLabelValues(s.cfg.Group, string(s.cfg.Topic)).Add(float64(e.Bounds.First - e.Offset))
	s.log.Error("records were gone before they were read", "partition", e.Partition, "from", e.Offset, "to", e.Bounds.First, "records", e.Bounds.First-e.Offset)
	return nil
}

// batch gathers the records of a delivery.
type batch struct {
	records []schemas.Record
	first   int // sequence number of records[0]
	bytes   int
}

func (b *batch) add(t *tracker, r schemas.Record) {
	seq := t.add(r.Offset)
	if len(b.records) == 0 {
		b.first = seq
	}
	b.records = append(b.records, r)
	b.bytes += r.Size()
}

func (b *batch) full(cfg ConsumeConfig) bool {
	return len(b.records) >= cfg.DeliveryRecords || b.bytes >= int(cfg.DeliveryBytes)
}

func (b *batch) delivery(t *tracker, lost <-chan struct{}) schemas.Delivery {
	first := b.first
	return schemas.Delivery{Records: b.records, Lost: lost, Ack: func(i int) { t.ack(first + i) }}
}
