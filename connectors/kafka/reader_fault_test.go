package kafka

// What brokers answer on a bad day, and what it costs: requests are counted, and answers changed on their way.

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/fetch"
	"github.com/segmentio/kafka-go/protocol/metadata"
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

// fail makes an answer about a partition the error.
func fail(e kafkago.Error) func(*fetch.ResponsePartition) {
	return func(p *fetch.ResponsePartition) {
		p.ErrorCode = int16(e)
		p.RecordSet.Records = kafkago.NewRecordReader()
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

// A member that is assigned no partition asks for nothing.
func TestMemberWithoutPartitionsIsIdle(t *testing.T) {
	t.Parallel()
	addr := broker(t)
	var asked atomic.Int64
	members := []*Client{client(t, quickConfig(addr)), client(t, quickConfig(addr))}
	ensure(t, members[0], topic("work", 1))
	var l ledger
	for i, c := range members {
		c.tap(func(req kafkago.Request, send func() (kafkago.Response, error)) (kafkago.Response, error) {
			if _, ok := req.(*metadata.Request); ok {
				asked.Add(1)
			}
			return send()
		})
		defer l.follow(t, c, "g")()
		for joined := 0.0; joined < float64(2*i+1); time.Sleep(10 * time.Millisecond) {
			joined = 0
			for _, m := range members[:i+1] {
				joined += counter(t, m.metrics.rebalances, "g", "work")
			}
		}
	}
	before := asked.Load()
	time.Sleep(300 * time.Millisecond)
	if n := asked.Load() - before; n > 20 {
		t.Errorf("two members of which one has the only partition asked %d times for leaders while nothing happened", n)
	}
}

// A partition that keeps failing is left out of the fetches of the others, which go on without a pause.
func TestFailingPartitionIsLeftOut(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]bool{"by its own error": false, "by answers that cannot be read": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := client(t, quickConfig(broker(t)))
			ensure(t, c, topic("work", 3))
			place(t, c, 0, "unreadable")
			var with, without atomic.Int64
			c.tap(func(req kafkago.Request, send func() (kafkago.Response, error)) (kafkago.Response, error) {
				res, err := send()
				switch {
				case asks(req, 0):
					with.Add(1)
					if broken {
						return nil, errors.New("damaged")
					}
					alter(res, 0, fail(kafkago.KafkaStorageError))
				case asks(req, 1) && asks(req, 2):
					without.Add(1)
				}
				return res, err
			})
			var l ledger
			defer l.follow(t, c, "g")()
			for i := range 50 {
				place(t, c, int32(1+i%2), fmt.Sprint(i))
				l.await(t, i+1)
			}
			if with.Load() == 0 || without.Load() < with.Load() {
				t.Errorf("of the fetches %d asked for the partition that fails, and %d for both of the others without it", with.Load(), without.Load())
			}
		})
	}
}

// A partition without a leader is asked of no broker until it has one.
func TestPartitionWithoutLeader(t *testing.T) {
	t.Parallel()
	c, _, _ := cluster(t)
	ensure(t, c, topic("work", 6))
	for p := range int32(6) {
		place(t, c, p, fmt.Sprint(p))
	}
	var elected atomic.Bool
	c.tap(func(req kafkago.Request, send func() (kafkago.Response, error)) (kafkago.Response, error) {
		if elected.Load() {
			return send()
		}
		if asks(req, 0) {
			t.Error("a partition without a leader was asked for")
		}
		res, err := send()
		if m, ok := res.(*metadata.Response); ok {
			for i := range m.Topics {
				partitions := slices.Clone(m.Topics[i].Partitions) // the transport's own
				for j := range partitions {
					if partitions[j].PartitionIndex == 0 {
						partitions[j].LeaderID, partitions[j].ErrorCode = -1, int16(kafkago.LeaderNotAvailable)
					}
				}
				m.Topics[i].Partitions = partitions
			}
		}
		return res, err
	})
	var l ledger
	defer l.follow(t, c, "g")()
	l.await(t, 5)
	elected.Store(true)
	l.await(t, 6)
}

// Leaders that cannot be learned after a failure do not end the source.
func TestSourceOutlivesFailingMetadata(t *testing.T) {
	t.Parallel()
	c := client(t, quickConfig(broker(t)))
	ensure(t, c, topic("work", 1))
	write(t, c, "work", 0, 10)
	var asked, fetched atomic.Int64
	c.tap(func(req kafkago.Request, send func() (kafkago.Response, error)) (kafkago.Response, error) {
		res, err := send()
		switch req.(type) {
		case *metadata.Request:
			switch asked.Add(1) {
			case 1:
				return nil, kafkago.BrokerNotAvailable
			case 2:
			default:
				return nil, errors.New("no answer that makes sense")
			}
		case *fetch.Request:
			if fetched.Add(1) <= 2 {
				alter(res, 0, fail(kafkago.KafkaStorageError))
			}
		}
		return res, err
	})
	var l ledger
	l.consume(t, c, "g", 10)
	if asked.Load() < 4 {
		t.Errorf("leaders were asked for %d times: after no failure", asked.Load())
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

// A reader whose pump holds what it took fetches no more than may be held.
func TestReaderHoldsLittle(t *testing.T) {
	t.Parallel()
	cfg := quickConfig(broker(t))
	cfg.Consume.FetchBytes = 64 << 10
	c := client(t, cfg)
	ensure(t, c, topic("work", 1))
	place(t, c, 0, slices.Repeat([]string{strings.Repeat("x", 1000)}, 300)...)
	s, err := c.Source(SourceConfig{Group: "g", Topic: "work"})
	if err != nil {
		t.Fatal(err)
	}
	r := s.newReader([]kafkago.PartitionAssignment{{ID: 0, Offset: 0}})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.run(ctx)
	}()
	f := r.feeds[0]
	held := 0
	hold := func(records []schemas.Record) {
		for _, r := range records {
			held += r.Size()
		}
	}
	hold(<-f.in)
	r.taken()
	time.Sleep(3 * partWait)
	stop()
	<-done
	close(f.in)
	for records := range f.in {
		hold(records)
	}
	if limit := 2 * int(cfg.Consume.FetchBytes); held == 0 || held >= limit {
		t.Errorf("the reader holds %d bytes, want less than %d", held, limit)
	}
}
