package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"gleaner/schemas"
)

// Sink writes records to the topics that they name. Records of one call and one key keep their order. It may be used
// concurrently, and does best so: calls share requests.
type Sink struct {
	client  *Client
	timeout time.Duration // how long a record waits for company

	mu      sync.Mutex
	closed  bool
	writers map[schemas.Topic]*kafkago.Writer
}

// Sink returns a sink of this cluster. The caller closes it.
func (c *Client) Sink() *Sink { return c.newSink(c.cfg.Produce.BatchTimeout) }

func (c *Client) newSink(timeout time.Duration) *Sink {
	return &Sink{client: c, timeout: timeout, writers: map[schemas.Topic]*kafkago.Writer{}}
}

// Write makes the records durable: acknowledged by all in-sync replicas. It blocks until they are, retrying what is
// transient until the context ends. Otherwise it returns a *schemas.WriteError that names the records which are not known
// to be durable, each with its cause: schemas.ErrTooLarge for a record above its topic's max.message.bytes, which is
// refused by itself before anything is written; the context's error where the outcome is unknown. The others are durable.
// The records' bytes must not change until Write returns, or ever if the context ended.
func (s *Sink) Write(ctx context.Context, records []schemas.Record) error {
	failed := map[int]error{}
	byTopic := map[schemas.Topic][]int{}
	for i, r := range records {
		if n, limit := logSize(r), batchLimit(s.client.spec(r.Topic), s.client.cfg.Produce.BatchRecords); n > limit {
			s.client.metrics.tooLarge.WithLabelValues(string(r.Topic)).Inc()
			failed[i] = fmt.Errorf("%w: a record of %s may take %d bytes, this one needs %d", schemas.ErrTooLarge, r.Topic, limit, n)
			continue
		}
		byTopic[r.Topic] = append(byTopic[r.Topic], i)
	}
	var mu sync.Mutex
	var group sync.WaitGroup
	for topic, indexes := range byTopic {
		group.Go(func() {
			for i, err := range s.writeTopic(ctx, topic, records, indexes) {
				mu.Lock()
				failed[i] = err
				mu.Unlock()
			}
		})
	}
	group.Wait()
	if len(failed) > 0 {
		return &schemas.WriteError{Failed: failed}
	}
	return nil
}

// unknownTopicPatience is how long a topic may be unknown to the brokers, as it is while its leader moves, before a write
// to it fails.
const unknownTopicPatience = 30 * time.Second

// writeTopic writes the records at the given indexes, all of one topic, and returns those that failed.
func (s *Sink) writeTopic(ctx context.Context, topic schemas.Topic, records []schemas.Record, indexes []int) map[int]error {
	failAll := func(indexes []int, err error) map[int]error {
		out := make(map[int]error, len(indexes))
		for _, i := range indexes {
			out[i] = err
		}
		return out
	}
	writer, err := s.writer(topic)
	if err != nil {
		return failAll(indexes, err)
	}
	started := time.Now()
	wait := backoff{min: 100 * time.Millisecond, max: 2 * time.Second}
	failed := map[int]error{}
	for len(indexes) > 0 {
		messages := make([]kafkago.Message, len(indexes))
		for j, i := range indexes {
			messages[j] = toMessage(records[i])
		}
		errs := s.attempt(ctx, writer, messages)
		var again []int
		var cause error
		for j, i := range indexes {
			switch err := errs[j]; {
			case err == nil:
				s.client.metrics.written.WithLabelValues(string(topic)).Inc()
				s.client.metrics.writtenBytes.WithLabelValues(string(topic)).Add(float64(records[i].Size()))
			case errors.Is(err, kafkago.UnknownTopicOrPartition) && time.Since(started) > unknownTopicPatience:
				failed[i] = fmt.Errorf("topic %s: %w", topic, ErrNoTopic)
			case ctx.Err() == nil && transient(err):
				again, cause = append(again, i), err
			default:
				failed[i] = err
			}
		}
		if len(again) == 0 {
			break
		}
		s.client.metrics.retries.WithLabelValues(string(topic)).Add(float64(len(again)))
		s.client.log.Warn("write failed: trying again", "topic", topic, "records", len(again), "error", cause)
		if !wait.sleep(ctx) {
			for i, err := range failAll(again, fmt.Errorf("%w; last error: %w", context.Cause(ctx), cause)) {
				failed[i] = err
			}
			break
		}
		indexes = again
	}
	return failed
}

// attempt writes the messages once and returns the error of each. Messages that a broker finds too large together are
// written again one by one, so that only those which are too large by themselves fail.
func (s *Sink) attempt(ctx context.Context, w *kafkago.Writer, messages []kafkago.Message) []error {
	errs := make([]error, len(messages))
	err := w.WriteMessages(ctx, messages...)
	var each kafkago.WriteErrors
	switch {
	case err == nil:
		return errs
	case errors.As(err, &each):
		copy(errs, each)
	default:
		if errors.Is(err, io.ErrClosedPipe) {
			err = errClosed
		}
		for j := range errs {
			errs[j] = err
		}
	}
	for j := range errs {
		if !errors.Is(errs[j], kafkago.MessageSizeTooLarge) {
			continue
		}
		if len(messages) > 1 {
			errs[j] = s.attempt(ctx, w, messages[j:j+1])[0]
			continue
		}
		errs[j] = fmt.Errorf("%w, by the broker's own setting", schemas.ErrTooLarge)
	}
	return errs
}

var errClosed = errors.New("the sink is closed")

func (s *Sink) writer(topic schemas.Topic) (*kafkago.Writer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	w := s.writers[topic]
	if w == nil {
		cfg := s.client.cfg.Produce
		w = &kafkago.Writer{
			Addr:         s.client.api.Addr,
			Topic:        string(topic),
			Transport:    s.client.transport,
			Balancer:     kafkago.Murmur2Balancer{Consistent: true}, // as the Java client; a nil key goes to one partition too
			RequiredAcks: kafkago.RequireAll,
			Compression:  s.codec(topic),
			BatchTimeout: s.timeout,
			BatchSize:    cfg.BatchRecords,
			BatchBytes:   int64(batchLimit(s.client.spec(topic), cfg.BatchRecords)),
			WriteTimeout: cfg.WriteTimeout,
			ReadTimeout:  cfg.WriteTimeout,
			// The writer's own retries keep the order of a partition's batches; beyond them writeTopic goes on.
			MaxAttempts:     10,
			WriteBackoffMin: 50 * time.Millisecond,
			WriteBackoffMax: time.Second,
		}
		s.writers[topic] = w
	}
	return w, nil
}

// codec leaves the topics that carry images or label maps without compression: those do not shrink, every reader would pay for
// trying, and whoever reads a compressed batch holds it twice.
func (s *Sink) codec(topic schemas.Topic) kafkago.Compression {
	switch topic {
	case schemas.Raw, schemas.Samples, schemas.Prelabeled, schemas.Segmented, schemas.Linted, schemas.Submitted, schemas.Dead:
		return 0
	}
	return s.client.codec
}

// Close waits until what is being written is decided, or the context ends. A Write after it fails.
func (s *Sink) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	writers := s.writers
	s.writers = nil
	s.mu.Unlock()
	done := make(chan error, 1)
	go func() {
		var errs []error
		for topic, w := range writers {
			if err := w.Close(); err != nil {
				errs = append(errs, fmt.Errorf("kafka: close writer of %s: %w", topic, err))
			}
		}
		done <- errors.Join(errs...)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("kafka: close sink: %w", ctx.Err())
	}
}
