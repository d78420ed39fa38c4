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

// partition is the reading of one partition, from an offset on.
type partition struct {
	client *Client
	topic  schemas.Topic
	id     int
	next   int64 // offset of the next record to read; may be kafkago.FirstOffset before the first fetch
	end    int64 // where reading stops, or negative
	log    *slog.Logger
	// lost is called when the records up to the log's first offset can no longer be read; it returns nil to go on there.
	lost func(*OffsetError) error

	beyond int // times in a row that the log ended below next
}

// read calls fn with every record, in order, until the context ends, fn fails, the end is reached, or the log turns out to
// end below the next offset. It holds one fetched response at a time.
func (p *partition) read(ctx context.Context, fn func(schemas.Record) error) error {
	if err := p.begin(ctx); err != nil {
		return err
	}
	wait := readBackoff()
	for p.end < 0 || p.next < p.end {
		got, err := p.client.fetch(ctx, p.topic, []position{{p.id, p.next}}, p.client.cfg.Consume.FetchWait)
		if err != nil {
			got = []fetched{{err: err}}
		}
		failed, err := p.take(ctx, got[0], wait.now == wait.max, fn)
		switch {
		case err != nil:
			return err
		case !failed:
			wait.reset()
		case !wait.sleep(ctx):
			return ctx.Err()
		}
	}
	return nil
}

func readBackoff() backoff { return backoff{min: 50 * time.Millisecond, max: time.Second} }

// begin finds the first offset where reading shall begin there.
func (p *partition) begin(ctx context.Context) error {
	if p.next != kafkago.FirstOffset {
		return nil
	}
	b, err := p.client.bounds(ctx, p.topic, p.id)
	p.next = b.First
	return err
}

// take calls fn with the records that a fetch gave, or settles why it gave none: failed says that a pause is due before the
// next one, and lasting that fetches have failed for a while. An error ends the reading.
func (p *partition) take(ctx context.Context, f fetched, lasting bool, fn func(schemas.Record) error) (failed bool, err error) {
	if f.err == nil {
		p.beyond = 0
		p.next, err = p.hand(f.records, p.next, fn)
		return false, err
	}
	switch {
	case ctx.Err() != nil:
		return false, ctx.Err()
	case errors.Is(f.err, kafkago.OffsetOutOfRange):
		b, err := p.client.bounds(ctx, p.topic, p.id)
		if err != nil {
			return false, err
		}
		gone := &OffsetError{Topic: p.topic, Partition: p.id, Offset: p.next, Bounds: b}
		switch {
		case p.next < b.First:
			if err := p.lost(gone); err != nil {
				return false, err
			}
			p.next = b.First
			return false, nil
		case p.next > b.End:
			// A broker that has just become the leader may not know the end yet: believe it the third time.
			if p.beyond++; p.beyond == 3 {
				return false, gone
			}
		}
	default:
		p.client.metrics.readErrors.WithLabelValues(string(p.topic)).Inc()
		if lasting || !transient(f.err) { // a restart of the broker is over sooner
			p.log.Warn("reading a partition failed: trying again", "topic", p.topic, "partition", p.id, "offset", p.next, "error", f.err)
		}
	}
	return true, nil
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
