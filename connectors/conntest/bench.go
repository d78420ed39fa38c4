package conntest

// What the cases of SourceSink share: a topic of their own, and readers that keep books.

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"gleaner/schemas"
)

const patience = 2 * time.Minute // after which a case that waits has failed

// bench is one topic of its own on the system under test.
type bench struct {
	*testing.T
	log   Log
	topic schemas.Topic
	group string
	ctx   context.Context
}

func newBench(t *testing.T, log Log, partitions int) *bench {
	t.Helper()
	name := "conntest." + strings.ToLower(rand.Text())
	spec := schemas.TopicSpec{
		Name: schemas.Topic(name), Partitions: partitions,
		Retention: schemas.Forever, Cleanup: schemas.Delete, MaxMessageBytes: 256 << 10,
	}
	log.Create(t, spec)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return &bench{T: t, log: log, topic: spec.Name, group: name + ".group", ctx: ctx}
}

// record is the i-th of a topic, with a key of its own among 16.
func (b *bench) record(i int) schemas.Record {
	return schemas.Record{Topic: b.topic, Key: fmt.Appendf(nil, "key-%d", i%16), Value: fmt.Append(nil, i)}
}

// write makes n records durable, numbered from 0 on.
func (b *bench) write(n int) {
	b.Helper()
	records := make([]schemas.Record, n)
	for i := range records {
		records[i] = b.record(i)
	}
	if err := b.sink().Write(b.ctx, records); err != nil {
		b.Fatalf("write %d records: %v", n, err)
	}
}

// sink returns one that ends with the case.
func (b *bench) sink() Sink {
	sink := b.log.Sink(b.T)
	b.Cleanup(func() {
		if err := sink.Close(context.Background()); err != nil {
			b.Errorf("close sink: %v", err)
		}
	})
	return sink
}

func (b *bench) source() Source {
	b.Helper()
	return b.log.Source(b.T, b.group, b.topic)
}

func (b *bench) close(s Source) {
	b.Helper()
	if err := s.Close(b.ctx); err != nil {
		b.Fatalf("close source: %v", err)
	}
}

// read returns deliveries until they hold n records.
func (b *bench) read(s Source, n int) []schemas.Delivery {
	b.Helper()
	var out []schemas.Delivery
	for have := 0; have < n; {
		d, err := s.Read(b.ctx)
		if err != nil {
			b.Fatalf("read: have %d of %d records: %v", have, n, err)
		}
		if len(d.Records) == 0 {
			b.Fatal("read: a delivery without records")
		}
		out = append(out, d)
		have += len(d.Records)
	}
	return out
}

// rest returns the values that the group has still to read, acknowledging them.
func (b *bench) rest(s Source) []string {
	b.Helper()
	// What is left is followed by a mark on every partition, so that there is an end to wait for.
	marks := b.mark()
	var out []string
	for len(marks) > 0 {
		d, err := s.Read(b.ctx)
		if err != nil {
			b.Fatalf("read the rest: %v", err)
		}
		for i, r := range d.Records {
			if _, ok := marks[string(r.Value)]; ok {
				delete(marks, string(r.Value))
			} else {
				out = append(out, string(r.Value))
			}
			d.Ack(i)
		}
	}
	return out
}

// mark writes a record of an unmistakable value to every key, hence to the end of every partition in use.
func (b *bench) mark() map[string]bool {
	b.Helper()
	marks := map[string]bool{}
	records := make([]schemas.Record, 16)
	for i := range records {
		records[i] = b.record(i)
		records[i].Value = []byte("mark-" + rand.Text())
		marks[string(records[i].Value)] = true
	}
	if err := b.sink().Write(b.ctx, records); err != nil {
		b.Fatalf("write marks: %v", err)
	}
	return marks
}

// member reads and acknowledges in the background, and counts what it saw.
type member struct {
	source Source
	mu     sync.Mutex
	seen   map[string]int
	done   chan error
}

func (b *bench) member() *member {
	m := &member{source: b.source(), seen: map[string]int{}, done: make(chan error, 1)}
	go func() {
		for {
			d, err := m.source.Read(b.ctx)
			if err != nil {
				if errors.Is(err, io.EOF) {
					err = nil
				}
				m.done <- err
				return
			}
			m.mu.Lock()
			for i, r := range d.Records {
				m.seen[string(r.Value)]++
				d.Ack(i)
			}
			m.mu.Unlock()
		}
	}()
	return m
}

func (m *member) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.seen)
}

func (b *bench) leave(m *member) {
	b.Helper()
	b.close(m.source)
	if err := <-m.done; err != nil {
		b.Fatalf("member: %v", err)
	}
}

// until waits for a condition that others bring about.
func (b *bench) until(what string, ok func() bool) {
	b.Helper()
	for !ok() {
		select {
		case <-b.ctx.Done():
			b.Fatalf("waited in vain for: %s", what)
		case <-time.After(10 * time.Millisecond):
		}
	}
}
