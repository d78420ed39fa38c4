package kafka

// Reading without a consumer group: one partition for ever, or a whole topic as it is now.

import (
	"context"
	"fmt"
	"sync"

	kafkago "github.com/segmentio/kafka-go"

	"gleaner/schemas"
)

// Follow calls fn with every record of one partition from offset from on, in order, for ever: it returns when the context
// ends (with its error), when fn fails (with that error), or with an *OffsetError when the log does not hold every record
// from the asked offset on, so that a fold over the log is never built on a part of it. from may be the end of the log.
func (c *Client) Follow(ctx context.Context, topic schemas.Topic, partition int, from int64, fn func(schemas.Record) error) error {
	if from < 0 {
		return fmt.Errorf("kafka: follow %s/%d from offset %d: want zero or more", topic, partition, from)
	}
	gone := func(e *OffsetError) error { return e }
	return c.readPartition(ctx, topic, partition, from, -1, gone, fn)
}

// Scan calls fn with every record that the topic holds at the time of the call, partition after partition, each in order,
// and returns. Records that retention removes in the meantime are left out.
func (c *Client) Scan(ctx context.Context, topic schemas.Topic, fn func(schemas.Record) error) error {
	bounds, err := c.Bounds(ctx, topic)
	if err != nil {
		return err
	}
	skip := func(*OffsetError) error { return nil }
	for p := range len(bounds) {
		if b := bounds[p]; b.First < b.End {
			if err := c.readPartition(ctx, topic, p, b.First, b.End, skip, fn); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Client) readPartition(ctx context.Context, topic schemas.Topic, id int, from, end int64, lost func(*OffsetError) error, fn func(schemas.Record) error) error {
	var closing sync.WaitGroup
	p := &partition{
		client: c, topic: topic, id: id, log: c.log, lost: lost, end: end,
		close: func(r *kafkago.Reader) { closing.Go(func() { _ = r.Close() }) },
	}
	err := p.read(ctx, from, func(m kafkago.Message) error { return fn(toRecord(m)) })
	if end < 0 {
		closing.Wait()
	}
	return err
}
