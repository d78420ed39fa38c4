package kafka

// One partition read in order, for sources, Follow and Scan. It fetches by offset itself: kafka-go's Reader passes in
// silence over records that are gone, does not tell null from empty, checks no sums, and takes long to close.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"

	"gleaner/schemas"
)

// OffsetError says that the log does not hold the offset to read from: its records were deleted, or the log was cut or
// replaced by another one.
type OffsetError struct {
	Topic     schemas.Topic
	Partition int
	Offset    int64 // what was to be read next
	Bounds    Bounds
}

func (e *OffsetError) Error() string {
	if e.Offset < e.Bounds.First {
		return fmt.Sprintf("kafka: %s/%d: the records from offset %d to %d are gone: retention, or a deletion, was faster than the reader",
			e.Topic, e.Partition, e.Offset, e.Bounds.First)
	}
	return fmt.Sprintf("kafka: %s/%d: next offset to read is %d but the log ends at %d: it was cut, or replaced by another one; "+
		"restore the log, or reset the reader's offset", e.Topic, e.Partition, e.Offset, e.Bounds.End)
}

// partition reads one partition from an offset on.
type partition struct {
	client *Client
	topic  schemas.Topic
	id     int
	end    int64 // where reading stops, or negative
	log    *slog.Logger
	// lost is called when the records up to the log's first offset can no longer be read; it returns nil to go on there.
	lost func(*OffsetError) error
}

// read calls fn with every record from offset from on, in order, until the context ends, fn fails, the end is reached, or
// the log turns out to end below the offset. from may be kafkago.FirstOffset. It holds one fetched response at a time.
func (p *partition) read(ctx context.Context, from int64, fn func(schemas.Record) error) error {
	next := from
	if next == kafkago.FirstOffset {
		b, err := p.client.bounds(ctx, p.topic, p.id)
		if err != nil {
			return err
		}
		next = b.First
	}
	wait := backoff{min: 50 * time.Millisecond, max: time.Second}
	beyond := 0 // times in a row that the log ended below next
	for p.end < 0 || next < p.end {
		records, err := p.fetch(ctx, next)
		if err == nil {
			wait.reset()
			beyond = 0
			if next, err = p.hand(records, next, fn); err != nil {
				return err
			}
			continue
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, kafkago.OffsetOutOfRange):
			b, err := p.client.bounds(ctx, p.topic, p.id)
			if err != nil {
				return err
			}
			gone := &OffsetError{Topic: p.topic, Partition: p.id, Offset: next, Bounds: b}
			switch {
			case next < b.First:
				if err := p.lost(gone); err != nil {
					return err
				}
				next = b.First
				continue
			case next > b.End:
				// A broker that has just become the leader may not know the end yet: believe it the third time.
				if beyond++; beyond == 3 {
					return gone
				}
				wait.now = wait.max
			}
		default:
			p.client.metrics.readErrors.WithLabelValues(string(p.topic)).Inc()
			if wait.now == wait.max || !transient(err) { // a restart of the broker is over sooner
				p.log.Warn("reading a partition failed: trying again", "topic", p.topic, "partition", p.id, "offset", next, "error", err)
			}
		}
		if !wait.sleep(ctx) {
			return ctx.Err()
		}
	}
	return nil
}

// fetch returns what the broker has from the offset on, after waiting for it a while; there may be nothing.
func (p *partition) fetch(ctx context.Context, offset int64) (kafkago.RecordReader, error) {
	cfg := p.client.cfg.Consume
	res, err := p.client.api.Fetch(ctx, &kafkago.FetchRequest{
		Topic: string(p.topic), Partition: p.id, Offset: offset,
		MinBytes: 1, MaxBytes: int64(cfg.FetchBytes), MaxWait: cfg.FetchWait,
	})
	if err != nil {
		return nil, err
	}
	return res.Records, res.Error
}

// hand calls fn with the records from offset next on, up to the end, and returns the offset after them.
func (p *partition) hand(records kafkago.RecordReader, next int64, fn func(schemas.Record) error) (int64, error) {
	found := false
	for p.end < 0 || next < p.end {
		m, err := records.ReadRecord()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return next, fmt.Errorf("kafka: %s/%d: records at offset %d: %w", p.topic, p.id, next, err)
		}
		r, err := toRecord(p.topic, p.id, m)
		if err != nil {
			return next, fmt.Errorf("kafka: %s/%d: record %d: %w", p.topic, p.id, m.Offset, err)
		}
		if r.Offset < next { // a batch begins before the offset that was asked for
			continue
		}
		if err := fn(r); err != nil {
			return next, err
		}
		next, found = r.Offset+1, true
	}
	// Batches without a record at or after next: this offset was compacted away, or is a transaction's mark.
	if _, batches := records.(*protocol.RecordStream); batches && !found && (p.end < 0 || next < p.end) {
		next++
	}
	return next, nil
}
