package runner

// An in-memory source and sink that check, at every acknowledgment, that what they were promised holds.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"gleaner/schemas"
)

// memorySource gives records first to last of one partition, made when they are read, in deliveries of at most chunk.
type memorySource struct {
	t     testing.TB
	topic schemas.Topic
	count int
	chunk int
	make  func(i int) schemas.Record // nil: key and value "record i"
	sink  *memorySink                // what an acknowledged record must have left behind; nil: not checked

	mu       sync.Mutex
	next     int
	acked    map[int]int // offset → acknowledgments
	early    []int       // acknowledged before anything of them was durable
	lost     chan struct{}
	endless  bool // block at the end instead of io.EOF
	closed   bool
	ackAfter bool // an acknowledgment came after Close
}

func newSource(t testing.TB, count int, sink *memorySink) *memorySource {
	return &memorySource{t: t, topic: schemas.Samples, count: count, chunk: 7, sink: sink, acked: map[int]int{}, lost: make(chan struct{})}
}

func key(i int) []byte { return fmt.Appendf(nil, "record %d", i) }

func (s *memorySource) Read(ctx context.Context) (schemas.Delivery, error) {
	s.mu.Lock()
	first := s.next
	n := min(s.chunk, s.count-first)
	s.next += n
	s.mu.Unlock()
	if n == 0 {
		if s.endless {
			<-ctx.Done()
			return schemas.Delivery{}, ctx.Err()
		}
		return schemas.Delivery{}, io.EOF
	}
	records := make([]schemas.Record, n)
	for i := range records {
		r := schemas.Record{Key: key(first + i), Value: key(first + i)}
		if s.make != nil {
			r = s.make(first + i)
		}
		r.Topic, r.Offset, r.Time = s.topic, int64(first+i), time.Now()
		records[i] = r
	}
	return schemas.Delivery{Records: records, Lost: s.lost, Ack: func(i int) { s.ack(first+i, records[i].Key) }}, nil
}

func (s *memorySource) ack(offset int, k []byte) {
	durable := s.sink == nil || s.sink.has(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acked[offset]++
	if !durable {
		s.early = append(s.early, offset)
	}
	s.ackAfter = s.ackAfter || s.closed
}

func (s *memorySource) Close(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

// checkAll fails the test unless every record was acknowledged, once it was durable, and before Close.
func (s *memorySource) checkAll() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.acked) != s.count {
		s.t.Errorf("%d of %d records acknowledged", len(s.acked), s.count)
	}
	if len(s.early) > 0 {
		s.t.Errorf("%d records acknowledged before their outputs were durable, the first at offset %d", len(s.early), s.early[0])
	}
	if !s.closed || s.ackAfter {
		s.t.Errorf("closed %v, acknowledged after that %v", s.closed, s.ackAfter)
	}
}

func (s *memorySource) ackCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.acked)
}

// memorySink holds records by key once Write has returned.
type memorySink struct {
	fail func(records []schemas.Record) error // asked before each write; the records that it names are not kept

	mu     sync.Mutex
	topics map[schemas.Topic][]schemas.Record
	keys   map[string]bool
	writes int
	closed bool
}

func newSink() *memorySink {
	return &memorySink{topics: map[schemas.Topic][]schemas.Record{}, keys: map[string]bool{}}
}

func (s *memorySink) Write(ctx context.Context, records []schemas.Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var err error
	if s.fail != nil {
		err = s.fail(records)
	}
	var some *schemas.WriteError
	partial := errors.As(err, &some)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	if err != nil && !partial {
		return err
	}
	for i, r := range records {
		if partial && some.Failed[i] != nil {
			continue
		}
		s.topics[r.Topic] = append(s.topics[r.Topic], r)
		s.keys[string(r.Key)] = true
	}
	return err
}

func (s *memorySink) Close(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

func (s *memorySink) has(k []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys[string(k)]
}

func (s *memorySink) of(t schemas.Topic) []schemas.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.topics[t]
}

// once returns the keys on a topic, and fails the test when a key's copies differ in their bytes.
func (s *memorySink) once(t testing.TB, topic schemas.Topic) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for _, r := range s.of(topic) {
		if old, ok := out[string(r.Key)]; ok && !bytes.Equal(old, r.Value) {
			t.Errorf("%s: key %q has two values", topic, r.Key)
		}
		out[string(r.Key)] = r.Value
	}
	return out
}

type handlerFunc func(context.Context, schemas.Record) ([]schemas.Emit, error)

func (f handlerFunc) Handle(ctx context.Context, r schemas.Record) ([]schemas.Emit, error) {
	return f(ctx, r)
}

type batchFunc func(context.Context, []schemas.Record) ([]schemas.Emit, error)

func (f batchFunc) HandleBatch(ctx context.Context, rs []schemas.Record) ([]schemas.Emit, error) {
	return f(ctx, rs)
}

// copyTo passes each record on to a topic.
func copyTo(topic schemas.Topic) handlerFunc {
	return func(_ context.Context, r schemas.Record) ([]schemas.Emit, error) {
		return []schemas.Emit{{Topic: topic, Record: schemas.Record{Key: r.Key, Value: r.Value}}}, nil
	}
}

// testConfig is the default with room for little, so that limits are met.
func testConfig() Config {
	c := DefaultConfig()
	c.Concurrency = 4
	c.MaxInFlightRecords = 32
	c.RetryMin, c.RetryMax = time.Millisecond, 20*time.Millisecond
	return c
}

// start makes a runner that logs to the test.
func start(t testing.TB, cfg Config, deps Deps) *Runner {
	t.Helper()
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	r, err := New("lint", cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
