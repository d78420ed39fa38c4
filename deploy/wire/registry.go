package wire

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gleaner/connectors/kafka"
	"gleaner/schemas"
)

// followRegistry calls put with every record of a registry's topic, by one goroutine at a time. It returns once put has had what
// the topic held at the call; what comes later follows in the background until ctx ends. Records may come again.
func (c *Connections) followRegistry(ctx context.Context, topic schemas.Topic, put func(schemas.Record)) error {
	bounds, err := c.Kafka.Bounds(ctx, topic)
	if err != nil {
		return fmt.Errorf("follow %s: %w", topic, err)
	}
	next := bounds[0].End
	take := func(r schemas.Record) error {
		next = max(next, r.Offset+1)
		put(r)
		return ctx.Err()
	}
	if err := c.Kafka.Scan(ctx, topic, take); err != nil {
		return fmt.Errorf("follow %s: %w", topic, err)
	}
	go func() {
		for {
			err := c.Kafka.Follow(ctx, topic, 0, next, take)
			if ctx.Err() != nil {
				return
			}
			c.Log.Error("a registry is not followed for the moment", "topic", topic, "error", err)
			if lost := (*kafka.OffsetError)(nil); errors.As(err, &lost) {
				next = lost.Bounds.First
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Second):
			}
		}
	}()
	return nil
}
