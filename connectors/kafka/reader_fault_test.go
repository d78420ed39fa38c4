package kafka

// What brokers answer on a bad day, and what it costs: requests are counted, and answers changed on their way.

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/fetch"
	"github.com/twmb/franz-go/pkg/kgo"

	"gleaner/schemas"
)

// tap stands between a client and its brokers; what sources do to take part in their group passes it by.
type tap struct {
	next   kafkago.RoundTripper
	handle func(req kafkago.Request, send func() (kafkago.Response, error)) (kafkago.Response, error)
}

func (p tap) RoundTrip(ctx context.Context, addr net.Addr, req kafkago.Request) (kafkago.Response, error) {
	return p.handle(req, func() (kafkago.Response, error) { return p.next.RoundTrip(ctx, addr, req) })
}

func (c *Client) tap(handle func(req kafkago.Request, send func() (kafkago.Response, error)) (kafkago.Response, error)) {
	c.api.Transport = tap{c.api.Transport, handle}
}

// asks tells whether the request is a fetch that asks for the partition.
func asks(req kafkago.Request, partition int32) bool {
	f, ok := req.(*fetch.Request)
	return ok && slices.ContainsFunc(f.Topics[0].Partitions, func(p fetch.RequestPartition) bool { return p.Partition == partition })
}

// alter changes what a fetch answers about the partition.
func alter(res kafkago.Response, partition int32, change func(*fetch.ResponsePartition)) {
	if f, ok := res.(*fetch.Response); ok {
		for i := range f.Topics {
			for j := range f.Topics[i].Partitions {
				if p := &f.Topics[i].Partitions[j]; p.Partition == partition {
					change(p)
				}
			}
		}
	}
}

// place writes one record for each value to the partition.
func place(t *testing.T, c *Client, partition int32, values ...string) {
	t.Helper()
	producer, err := kgo.NewClient(kgo.SeedBrokers(c.cfg.Brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DefaultProduceTopic("work"),
		kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	for _, v := range values {
		if err := producer.ProduceSync(t.Context(), &kgo.Record{Partition: partition, Value: []byte(v)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

// An answer that leaves out a partition is an error of that partition, which is tried again.
func TestAnswerLacksPartition(t *testing.T) {
	t.Parallel()
	c := client(t, quickConfig(broker(t)))
	ensure(t, c, topic("work", 2))
	place(t, c, 0, "a")
	place(t, c, 1, "b")
	var lacking atomic.Int64
	c.tap(func(req kafkago.Request, send func() (kafkago.Response, error)) (kafkago.Response, error) {
		res, err := send()
		if asks(req, 0) && lacking.Add(-1) >= 0 {
			alter(res, 0, func(p *fetch.ResponsePartition) { p.Partition = 7 })
		}
		return res, err
	})
	lacking.Store(1)
	got, err := c.fetch(t.Context(), "work", []position{{0, 0}, {1, 0}}, time.Second)
	if err != nil || len(got) != 2 || got[1].err != nil || got[0].err == nil || !strings.Contains(got[0].err.Error(), "lacks partition 0") {
		t.Errorf("fetched %+v, error %v", got, err)
	}
	lacking.Store(1)
	scanned := 0
	if err := c.Scan(t.Context(), "work", func(schemas.Record) error { scanned++; return nil }); err != nil || scanned != 2 {
		t.Errorf("a scan saw %d records, error %v", scanned, err)
	}
	if n := counter(t, c.metrics.readErrors, "work"); n != 1 {
		t.Errorf("counted %v read errors, want one", n)
	}
	lacking.Store(4) // in one of them it is named first
	var l ledger
	l.consume(t, c, "g", 2)
	if n := counter(t, c.metrics.readErrors, "work"); n < 2 {
		t.Errorf("counted %v read errors, want another", n)
	}
}

// A full answer may leave out partitions, which is no error: they are named first in a later fetch.
func TestFullAnswersLeaveOutPartitions(t *testing.T) {
	t.Parallel()
	cfg := quickConfig(broker(t))
	cfg.Consume.FetchBytes = 4 << 10
	c := client(t, cfg)
	ensure(t, c, topic("work", 4))
	for p := range int32(4) {
		values := make([]string, 20)
		for i := range values {
			values[i] = fmt.Sprintf("%d of %d %1000s", i, p, "")
		}
		place(t, c, p, values...)
	}
	var l ledger
	l.consume(t, c, "g", 80)
	if n := counter(t, c.metrics.readErrors, "work"); n != 0 {
		t.Errorf("counted %v read errors", n)
	}
}
