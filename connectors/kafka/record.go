package kafka

// Conversion between records and what kafka-go writes and fetches, and the size that a record takes on the log.

import (
	"errors"
	"fmt"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"

	"gleaner/schemas"
)

// toMessage keeps the difference between a nil and an empty key or value: nil is Kafka's null. A record without a time
// gets the present one.
func toMessage(r schemas.Record) kafkago.Message {
	m := kafkago.Message{Key: r.Key, Value: r.Value, Time: r.Time}
	if m.Time.IsZero() {
		m.Time = time.Now()
	}
	if len(r.Headers) > 0 {
		m.Headers = make([]kafkago.Header, len(r.Headers))
		for i, h := range r.Headers {
			m.Headers[i] = kafkago.Header{Key: h.Key, Value: h.Value}
		}
	}
	return m
}

// toRecord copies a fetched record out of the response's buffers and releases them.
func toRecord(topic schemas.Topic, partition int, m *protocol.Record) (schemas.Record, error) {
	r := schemas.Record{Topic: topic, Partition: partition, Offset: m.Offset, Time: m.Time}
	var err error
	if r.Key, err = take(m.Key); err != nil {
		return r, fmt.Errorf("key: %w", err)
	}
	if r.Value, err = take(m.Value); err != nil {
		return r, fmt.Errorf("value: %w", err)
	}
	if len(m.Headers) > 0 {
		r.Headers = make([]schemas.Header, len(m.Headers))
		for i, h := range m.Headers {
			r.Headers[i] = schemas.Header{Key: h.Key, Value: h.Value}
		}
	}
	return r, nil
}

func take(b protocol.Bytes) ([]byte, error) {
	if b == nil {
		return nil, nil
	}
	out, err := protocol.ReadAll(b)
	return out, errors.Join(err, b.Close())
}

const (
	batchOverhead  = 61 // bytes of a record batch's header (format v2)
	recordOverhead = 33 // most bytes of a record's own length, attributes, deltas, key length, value length and header count
	headerOverhead = 10 // most bytes of a record header's two lengths
)

// logSize is the most bytes that the record takes within a batch that is not compressed. It is no less than what
// kafka-go's Writer counts.
func logSize(r schemas.Record) int {
	return recordOverhead + r.Size() + headerOverhead*len(r.Headers)
}

// batchLimit is how many bytes of records, counted as the Writer does, a batch may hold so that it stays within the
// topic's max.message.bytes whatever it holds: the Writer leaves out up to ten bytes a record, and LZ4 and zstd store
// what they cannot compress in blocks with a few bytes of frame each. One record may take as much.
func batchLimit(spec schemas.TopicSpec, batchRecords int) int {
	return spec.MaxMessageBytes - batchOverhead - 10*batchRecords - spec.MaxMessageBytes>>12 - 64
}
