package kafka

// Single records written at the lowest latency: what comes while one write is under way goes together in the next.

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"gleaner/schemas"
)

// appending is one record on its way, and who waits for it.
type appending struct {
	ctx    context.Context
	record schemas.Record
	done   chan error // takes one
}

// Append writes one record durably, at the lowest latency; records that are appended at the same time share a write, so a
// thousand a second need no thousand round trips. When it fails because the context ended, the record may still get on the
// log.
func (c *Client) Append(ctx context.Context, r schemas.Record) error {
	a := appending{ctx: ctx, record: r, done: make(chan error, 1)}
	c.mu.Lock()
	if c.append == nil {
		c.append = c.newSink(time.Millisecond)
	}
	c.appends = append(c.appends, a)
	if !c.appending {
		c.appending = true
		go c.drainAppends()
	}
	c.mu.Unlock()
	select {
	case err := <-a.done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("kafka: append to %s: %w", r.Topic, context.Cause(ctx))
	}
}

// drainAppends writes what waits, again and again, until nothing does.
func (c *Client) drainAppends() {
	for {
		c.mu.Lock()
		waiting, sink := c.appends, c.append
		c.appends = nil
		waiting = slices.DeleteFunc(waiting, func(a appending) bool { return a.ctx.Err() != nil })
		if len(waiting) == 0 {
			c.appending = false
			c.mu.Unlock()
			return
		}
		c.mu.Unlock()
		writeAppends(sink, waiting)
	}
}

// writeAppends writes the records together and tells each caller. It goes on for as long as one of them waits.
func writeAppends(sink *Sink, waiting []appending) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var left atomic.Int64
	left.Store(int64(len(waiting)))
	records := make([]schemas.Record, len(waiting))
	for i, a := range waiting {
		records[i] = a.record
		defer context.AfterFunc(a.ctx, func() {
			if left.Add(-1) == 0 {
				cancel()
			}
		})()
	}
	err := errClosed
	if sink != nil {
		err = sink.Write(ctx, records)
	}
	var failed *schemas.WriteError
	for i, a := range waiting {
		switch {
		case err == nil:
			a.done <- nil
		case errors.As(err, &failed) && failed.Failed[i] == nil:
			a.done <- nil
		case errors.As(err, &failed):
			a.done <- fmt.Errorf("kafka: append to %s: %w", a.record.Topic, failed.Failed[i])
		default:
			a.done <- fmt.Errorf("kafka: append to %s: %w", a.record.Topic, err)
		}
	}
}
