package kafka

// How far a consumer group is behind.

import (
	"context"
	"fmt"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"gleaner/schemas"
)

// Lag says how far a group is behind on a topic.
type Lag struct {
	Records int64     // not yet acknowledged and committed, over all partitions
	Gone    int64     // of those, records that the log no longer holds: lost to this group
	Oldest  time.Time // of the oldest record not yet committed; zero if there is none
}

// Lag returns how far the group is behind on the topic. It reads a batch of each partition that has unread records, for
// its time: call it every half minute, not every second.
func (c *Client) Lag(ctx context.Context, group string, topic schemas.Topic) (Lag, error) {
	committed, err := c.Committed(ctx, group, topic) // before the bounds, so that no lag is negative
	if err != nil {
		return Lag{}, err
	}
	bounds, err := c.Bounds(ctx, topic)
	if err != nil {
		return Lag{}, err
	}
	var lag Lag
	for p, b := range bounds {
		next := committed[p]
		if next < 0 { // a group that has not committed here begins with the first record
			next = b.First
		}
		if next >= b.End {
			continue
		}
		lag.Records += b.End - next
		if next < b.First {
			lag.Gone += b.First - next
			next = b.First
		}
		if next == b.End {
			continue
		}
		at, err := c.timeOf(ctx, topic, p, next)
		if err != nil {
			return Lag{}, err
		}
		if !at.IsZero() && (lag.Oldest.IsZero() || at.Before(lag.Oldest)) {
			lag.Oldest = at
		}
	}
	return lag, nil
}

// timeOf returns the time of the first record at or after the offset, or zero if retention was faster.
func (c *Client) timeOf(ctx context.Context, topic schemas.Topic, partition int, offset int64) (time.Time, error) {
	var at time.Time
	err := c.retry(ctx, func() error {
		res, err := c.api.Fetch(ctx, &kafkago.FetchRequest{
			Topic: string(topic), Partition: partition, Offset: offset,
			MinBytes: 1, MaxBytes: 1, MaxWait: time.Second, // brokers return a whole batch at least
		})
		if err != nil {
			return err
		}
		if res.Error != nil {
			return res.Error
		}
		for {
			r, err := res.Records.ReadRecord()
			if err != nil {
				return nil // the end
			}
			if r.Offset >= offset {
				at = r.Time
				return nil
			}
		}
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("kafka: time of record %d of %s/%d: %w", offset, topic, partition, err)
	}
	return at, nil
}
