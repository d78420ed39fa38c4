package kafka

// The way of a partition's records from the log into deliveries.

import (
	"context"

	kafkago "github.com/segmentio/kafka-go"

	"gleaner/schemas"
)

// pump hands out the records of one assigned partition until the context ends. A delivery grows while nobody reads, up to
// its limits: readers that are quick get their records at once, slow ones get many.
func (s *Source) pump(ctx context.Context, a kafkago.PartitionAssignment, t *tracker, lost <-chan struct{}) {
	records := make(chan schemas.Record)
	p := &partition{
		client: s.client, topic: s.cfg.Topic, id: a.ID, end: -1, log: s.log, lost: s.alarm,
	}
	go func() {
		defer close(records)
		err := p.read(ctx, a.Offset, func(r schemas.Record) error {
			select {
			case records <- r:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		if err != nil && ctx.Err() == nil {
			s.fail(err)
		}
	}()
	// The reading goroutine is over before pump returns, so that no record is read after its generation.
	defer func() {
		for range records {
		}
	}()

	var b batch
	for {
		in, out := records, s.out
		var moved <-chan struct{}
		switch {
		case b.full(s.client.cfg.Consume):
			in = nil
		case t.unacked() >= s.client.cfg.Consume.UnackedRecords:
			in, moved = nil, t.moved
		}
		if len(b.records) == 0 {
			out = nil
		}
		var d schemas.Delivery
		if out != nil {
			d = b.delivery(t, lost)
		}
		select {
		case r, ok := <-in:
			if !ok {
				t.drop(len(b.records))
				return
			}
			b.add(t, r)
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
