// Package conntest holds the contracts that connectors must keep, as test suites: SourceSink for logs and Store for blobs.
// A connector's own tests call them with a factory, on the real engine.
package conntest

import (
	"context"
	"iter"
	"testing"

	"gleaner/schemas"
)

// Source reads records for a consumer group. Read blocks until there are some, retries transient faults inside and returns
// io.EOF after Close. Close waits for what was handed out to be acknowledged, within a limit, keeps the acknowledged prefix
// of each partition and leaves the group.
type Source interface {
	Read(context.Context) (schemas.Delivery, error)
	Close(context.Context) error
}

// Sink writes records. They are durable when Write returns nil; a *schemas.WriteError says which are not.
type Sink interface {
	Write(context.Context, []schemas.Record) error
	Close(context.Context) error
}

// Log is a connection to the system under test.
type Log struct {
	// Create makes a topic.
	Create func(t *testing.T, spec schemas.TopicSpec)
	// Source returns a new member of the group, which reads the topic from its first record on.
	Source func(t *testing.T, group string, topic schemas.Topic) Source
	Sink   func(t *testing.T) Sink
}

// Blobs is a store of immutable blobs by key.
type Blobs interface {
	Put(ctx context.Context, key string, data []byte) error
	PutNew(ctx context.Context, key string, data []byte) (existing []byte, created bool, err error)
	PutNewEach(ctx context.Context, data []byte, keys ...string) (n int, existing []byte, err error)
	Get(ctx context.Context, key string) ([]byte, error)
	Delete(ctx context.Context, key string) error
	List(ctx context.Context, prefix string) iter.Seq2[string, error]
}
