package kafka

// One partition read in order, for sources, Follow and Scan: it survives broker restarts, and notices when the log no
// longer holds what it was about to read, which kafka-go's Reader passes over in silence.

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	kafkago "github.com/segmentio/kafka-go"

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
	log    *slog.Logger
	// lost is called when records before the log's first offset can no longer be read; it returns nil to go on from there.
	lost func(*OffsetError) error
	// end, unless negative, is where reading stops.
	end int64
	// closed is called for every reader that is no longer used: closing one takes up to a fetch's wait.
	close func(*kafkago.Reader)

	next atomic.Int64 // offset of the next record to read
}

const watchEvery = 5 * time.Second // how often the position is compared with the log's bounds

// read calls fn with every record from offset from on, in order, until the context ends, fn fails, the end is reached, or
// the log no longer holds the position. from may be kafkago.FirstOffset.
func (p *partition) read(ctx context.Context, from int64, fn func(kafkago.Message) error) error {
	p.next.Store(from)
	for {
		if err := p.settle(ctx); err != nil {
			return err
		}
		if p.end >= 0 && p.next.Load() >= p.end {
			return nil
		}
		again, err := p.readOnce(ctx, fn)
		if !again {
			return err
		}
	}
}

// settle compares the position with the bounds of the log, and moves it to the first record where it must.
func (p *partition) settle(ctx context.Context) error {
	// A broker that has just become the leader may not know the end of the log yet: believe it the third time.
	wait := backoff{min: 500 * time.Millisecond, max: time.Second}
	for try := 0; ; try++ {
		next := p.next.Load()
		b, err := p.client.bounds(ctx, p.topic, p.id)
		switch {
		case err != nil:
			return err
		case next == kafkago.FirstOffset:
			p.next.Store(b.First)
			return nil
		case next < b.First:
			if err := p.lost(&OffsetError{Topic: p.topic, Partition: p.id, Offset: next, Bounds: b}); err != nil {
				return err
			}
			p.next.Store(b.First)
			return nil
		case next <= b.End:
			return nil
		case try == 2:
			return &OffsetError{Topic: p.topic, Partition: p.id, Offset: next, Bounds: b}
		}
		if !wait.sleep(ctx) {
			return ctx.Err()
		}
	}
}

// readOnce reads with one Reader. again says that the position has to be settled anew.
func (p *partition) readOnce(ctx context.Context, fn func(kafkago.Message) error) (again bool, err error) {
	r := kafkago.NewReader(p.client.readerConfig(p.topic, p.id))
	defer p.close(r)
	if err := r.SetOffset(p.next.Load()); err != nil {
		return false, fmt.Errorf("kafka: %s/%d: %w", p.topic, p.id, err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go p.watch(ctx, cancel)
	wait := backoff{min: 50 * time.Millisecond, max: time.Second}
	for {
		m, err := r.FetchMessage(ctx)
		switch {
		case err == nil:
		case errors.Is(context.Cause(ctx), errUnsettled):
			return true, nil
		case ctx.Err() != nil:
			return false, ctx.Err()
		case errors.Is(err, kafkago.OffsetOutOfRange):
			return true, nil
		default: // the Reader reconnects by itself
			p.client.metrics.readErrors.WithLabelValues(string(p.topic)).Inc()
			p.log.Warn("reading a partition failed: trying again", "topic", p.topic, "partition", p.id, "offset", p.next.Load(), "error", err)
			if !wait.sleep(ctx) {
				return false, ctx.Err()
			}
			continue
		}
		wait.reset()
		if next := p.next.Load(); m.Offset > next && p.client.spec(p.topic).Cleanup == schemas.Delete {
			// Holes are natural where transactions end; records that the log start has passed are lost.
			b, err := p.client.bounds(ctx, p.topic, p.id)
			if err != nil {
				return false, err
			}
			if b.First > next {
				b.First = min(b.First, m.Offset)
				if err := p.lost(&OffsetError{Topic: p.topic, Partition: p.id, Offset: next, Bounds: b}); err != nil {
					return false, err
				}
			}
		}
		if err := fn(m); err != nil {
			return false, err
		}
		p.next.Store(m.Offset + 1)
		if p.end >= 0 && m.Offset+1 >= p.end {
			return false, nil
		}
	}
}

var errUnsettled = errors.New("the log no longer holds the position")

// watch cancels the reading when the log no longer holds the position: the Reader would wait for it without end.
func (p *partition) watch(ctx context.Context, cancel context.CancelCauseFunc) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(watchEvery):
		}
		next := p.next.Load() // before the bounds, which only grow
		b, err := p.client.bounds(ctx, p.topic, p.id)
		if err != nil {
			continue
		}
		if next > b.End || p.next.Load() < b.First && p.end >= 0 {
			cancel(errUnsettled)
			return
		}
	}
}

// readerConfig is that of a Reader of one partition, whose queue is bounded by bytes.
func (c *Client) readerConfig(topic schemas.Topic, partition int) kafkago.ReaderConfig {
	cfg := c.cfg.Consume
	return kafkago.ReaderConfig{
		Brokers:               c.cfg.Brokers,
		Dialer:                c.dialer,
		Topic:                 string(topic),
		Partition:             partition,
		MinBytes:              1,
		MaxBytes:              int(cfg.FetchBytes),
		MaxWait:               cfg.FetchWait,
		QueueCapacity:         min(max(int(cfg.QueueBytes)/c.spec(topic).MaxMessageBytes, 1), 16),
		ReadLagInterval:       -1,
		ReadBackoffMin:        50 * time.Millisecond,
		ReadBackoffMax:        time.Second,
		OffsetOutOfRangeError: true,
	}
}
