package kafka

// Reading without a consumer group: one partition for ever, or a whole topic as it is now.

import (
	"context"
	"fmt"

	"gleaner/schemas"
)

// Follow calls fn with every record of one partition from offset from on, in order, for ever: it returns when the context
// ends (with its error), when fn fails (with that error), or with an *OffsetError when the log does not hold every record
// from the asked offset on, so that a fold over the log is never built on a part of it. from may be the end of the log.
func (c *Client) Follow(ctx context.Context, topic schemas.Topic, id int, from int64, fn func(schemas.Record) error) error {
	if from < 0 {
		return fmt.Errorf("kafka: follow %s/%d from offset %d: want zero or more", topic, id, from)
	}
	p := partition{client: c, topic: topic, id: id, next: from, end: -1, log: c.log, lost: func(e *OffsetError) error { return e }}
	return p.read(ctx, fn)
}

// Scan calls fn with every record that the topic holds at the time of the call, partition after partition, each in order,
// and returns. Records that retention removes in the meantime are left out.
func (c *Client) Scan(ctx context.Context, topic schemas.Topic, fn func(schemas.Record) error) error {
	bounds, err := c.Bounds(ctx, topic)
	if err != nil {
		return err
	}
	for id := range len(bounds) {
		p := partition{client: c, topic: topic, id: id, next: bounds[id].First, end: bounds[id].End, log: c.log, lost: func(*OffsetError) error { return nil }}
		if err := p.read(ctx, fn); err != nil {
			return err
		}
	}
	return nil
}
