package conntest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"gleaner/schemas"
)

// SourceSink checks that the sources and sinks of a log keep their contract.
func SourceSink(t *testing.T, log Log) {
	cases := []struct {
		name string
		run  func(*bench)
		on   int // partitions
	}{
		{"everything written is read, in order", everything, 4},
		{"keys, values and headers come back as they were", fidelity, 1},
		{"concurrent writes", concurrent, 4},
		{"unacknowledged records come again", redelivery, 1},
		{"only an unbroken prefix is kept", prefix, 1},
		{"close waits for acknowledgements", drain, 1},
		{"a closed source is at its end", ended, 1},
		{"read obeys its context", readContext, 1},
		{"members share the partitions and lose nothing", rebalance, 8},
		{"a former owner's acknowledgement does nothing", formerOwner, 1},
		{"a record too large is refused by itself", tooLarge, 1},
		{"write obeys its context", writeContext, 1},
		{"a closed sink refuses", closedSink, 1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // most of their time is waiting for the group to settle
			c.run(newBench(t, log, c.on))
		})
	}
}

func everything(b *bench) {
	const n = 5000
	b.write(n)
	s := b.source()
	last := map[string]int{} // by key
	offsets := map[int]int64{}
	seen := 0
	for _, d := range b.read(s, n) {
		for i, r := range d.Records {
			if r.Topic != b.topic {
				b.Fatalf("record of topic %q", r.Topic)
			}
			if at, ok := offsets[r.Partition]; ok && r.Offset <= at || r.Partition != d.Records[0].Partition {
				b.Fatalf("offset %d of partition %d comes after %d of %d", r.Offset, r.Partition, at, d.Records[0].Partition)
			}
			offsets[r.Partition] = r.Offset
			v, err := strconv.Atoi(string(r.Value))
			if err != nil {
				b.Fatal(err)
			}
			if before, ok := last[string(r.Key)]; ok && v <= before {
				b.Fatalf("key %s: %d comes after %d", r.Key, v, before)
			}
			last[string(r.Key)] = v
			d.Ack(i)
			seen++
		}
	}
	if seen != n {
		b.Fatalf("read %d records of %d", seen, n)
	}
	b.close(s)
}

func fidelity(b *bench) {
	want := []schemas.Record{
		{Topic: b.topic},
		{Topic: b.topic, Key: []byte{}, Value: []byte{}},
		{Topic: b.topic, Key: []byte("k"), Value: nil},
		{Topic: b.topic, Key: nil, Value: []byte{0, 255, 10}, Headers: []schemas.Header{
			{Key: "twice", Value: []byte("a")}, {Key: "twice", Value: []byte("b")}, {Key: "", Value: []byte{0}}, {Key: "empty", Value: []byte{}},
		}},
		{Topic: b.topic, Key: []byte("t"), Value: []byte("timed"), Time: time.UnixMilli(1_700_000_000_123)},
	}
	sink := b.sink()
	for _, r := range want { // one by one, for their order
		if err := sink.Write(b.ctx, []schemas.Record{r}); err != nil {
			b.Fatal(err)
		}
	}
	s := b.source()
	i := 0
	for _, d := range b.read(s, len(want)) {
		for _, got := range d.Records {
			w := want[i]
			i++
			if (got.Key == nil) != (w.Key == nil) || string(got.Key) != string(w.Key) {
				b.Errorf("record %d: key %#v, want %#v", i, got.Key, w.Key)
			}
			if (got.Value == nil) != (w.Value == nil) || string(got.Value) != string(w.Value) {
				b.Errorf("record %d: value %#v, want %#v", i, got.Value, w.Value)
			}
			same := func(x, y schemas.Header) bool { return x.Key == y.Key && string(x.Value) == string(y.Value) }
			if !slices.EqualFunc(got.Headers, w.Headers, same) {
				b.Errorf("record %d: headers %v, want %v", i, got.Headers, w.Headers)
			}
			if !w.Time.IsZero() && !got.Time.Equal(w.Time) {
				b.Errorf("record %d: time %v, want %v", i, got.Time, w.Time)
			}
			if age := time.Since(got.Time); w.Time.IsZero() && (age > patience || age < -patience) {
				b.Errorf("record %d: without a time of its own it got %v", i, got.Time)
			}
		}
	}
	b.close(s)
}

func concurrent(b *bench) {
	const writers, each = 8, 100
	sink := b.sink()
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for i := range each {
				if err := sink.Write(b.ctx, []schemas.Record{b.record(w*each + i)}); err != nil {
					b.Errorf("write: %v", err)
				}
			}
		})
	}
	group.Wait()
	s := b.source()
	seen := map[string]bool{}
	for _, d := range b.read(s, writers*each) {
		for _, r := range d.Records {
			seen[string(r.Value)] = true
		}
	}
	if len(seen) != writers*each {
		b.Errorf("%d different records of %d", len(seen), writers*each)
	}
	b.close(s)
}

func redelivery(b *bench) {
	b.write(100)
	first := b.source()
	for _, d := range b.read(first, 100) {
		for i, r := range d.Records {
			if r.Offset < 60 {
				d.Ack(i)
				d.Ack(i) // idempotent
			}
		}
	}
	b.close(first)
	second := b.source()
	got := b.rest(second)
	var want []string
	for i := 60; i < 100; i++ {
		want = append(want, fmt.Sprint(i))
	}
	if !slices.Equal(got, want) {
		b.Errorf("after 60 of 100 were acknowledged the next member read %v", got)
	}
	b.close(second)
}

func prefix(b *bench) {
	b.write(50)
	first := b.source()
	deliveries := b.read(first, 50)
	for _, d := range slices.Backward(deliveries) { // the last first
		for i := len(d.Records) - 1; i >= 0; i-- {
			if d.Records[i].Offset != 20 {
				d.Ack(i)
			}
		}
	}
	b.close(first)
	second := b.source()
	if got := b.rest(second); len(got) != 30 || got[0] != "20" {
		b.Errorf("all but record 20 of 50 were acknowledged, out of order: the next member read %v, want 20 to 49", got)
	}
	b.close(second)
}

func drain(b *bench) {
	b.write(20)
	first := b.source()
	deliveries := b.read(first, 20)
	closed := make(chan error, 1)
	go func() { closed <- first.Close(b.ctx) }()
	b.until("the source to be at its end", func() bool {
		ctx, cancel := context.WithTimeout(b.ctx, 10*time.Millisecond)
		defer cancel()
		_, err := first.Read(ctx)
		return errors.Is(err, io.EOF)
	})
	for _, d := range deliveries {
		select {
		case <-d.Lost:
			b.Error("lost while close waits")
		default:
		}
		for i := range d.Records {
			d.Ack(i)
		}
	}
	if err := <-closed; err != nil {
		b.Fatal(err)
	}
	for _, d := range deliveries {
		select {
		case <-d.Lost:
		default:
			b.Error("not lost after close")
		}
	}
	second := b.source()
	if got := b.rest(second); len(got) > 0 {
		b.Errorf("acknowledged while closing, yet read again: %v", got)
	}
	b.close(second)
}

func ended(b *bench) {
	never := b.source()
	b.close(never)
	if _, err := never.Read(b.ctx); !errors.Is(err, io.EOF) {
		b.Errorf("read after close without a read before: %v", err)
	}
	s := b.source()
	blocked := make(chan error, 1)
	go func() {
		_, err := s.Read(b.ctx)
		blocked <- err
	}()
	time.Sleep(200 * time.Millisecond) // either order is right; this one is the more interesting
	b.close(s)
	if err := <-blocked; !errors.Is(err, io.EOF) {
		b.Errorf("a read that was blocked at close: %v", err)
	}
	if _, err := s.Read(b.ctx); !errors.Is(err, io.EOF) {
		b.Errorf("read after close: %v", err)
	}
	b.close(s) // twice is fine
}

func readContext(b *bench) {
	s := b.source()
	ctx, cancel := context.WithTimeout(b.ctx, 50*time.Millisecond)
	defer cancel()
	if _, err := s.Read(ctx); !errors.Is(err, context.DeadlineExceeded) {
		b.Errorf("read of an empty topic until the context ended: %v", err)
	}
	b.write(1)
	b.read(s, 1)
	b.close(s)
}

func rebalance(b *bench) {
	const total = 4000
	writing := make(chan error, 1)
	sink := b.sink()
	go func() {
		for first := 0; first < total; first += 20 {
			var records []schemas.Record
			for i := range 20 {
				records = append(records, b.record(first+i))
			}
			if err := sink.Write(b.ctx, records); err != nil {
				writing <- err
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
		writing <- nil
	}()
	one := b.member()
	b.until("the first member to read", func() bool { return one.count() > 0 })
	two := b.member()
	b.until("the second member to get its share", func() bool { return two.count() > 0 })
	three := b.member()
	b.leave(one)
	if err := <-writing; err != nil {
		b.Fatal(err)
	}
	all := func() map[string]int {
		sum := map[string]int{}
		for _, m := range []*member{one, two, three} {
			m.mu.Lock()
			for v, n := range m.seen {
				sum[v] += n
			}
			m.mu.Unlock()
		}
		return sum
	}
	b.until("every record to be read by someone", func() bool { return len(all()) == total })
	b.leave(two)
	b.leave(three)
	after := b.source()
	if rest := b.rest(after); len(rest) > 0 {
		b.Errorf("%d records were acknowledged, yet are read again", len(rest))
	}
	b.close(after)
}

func formerOwner(b *bench) {
	b.write(30)
	one := b.source()
	held := b.read(one, 30)
	// A second member on a single partition: the generation ends, whoever gets the partition then.
	two := b.source()
	ctx, cancel := context.WithCancel(b.ctx)
	var group sync.WaitGroup
	for _, s := range []Source{one, two} {
		group.Go(func() {
			for { // keeps nothing, acknowledges nothing
				if _, err := s.Read(ctx); err != nil {
					return
				}
			}
		})
	}
	for _, d := range held {
		select {
		case <-d.Lost:
		case <-b.ctx.Done():
			b.Fatal("never told that the partition was lost")
		}
		for i := range d.Records {
			d.Ack(i)
		}
	}
	cancel()
	group.Wait()
	b.close(one)
	b.close(two)
	three := b.source()
	if got := b.rest(three); len(got) != 30 {
		b.Errorf("a former owner acknowledged 30 records; of those the next member read %d", len(got))
	}
	b.close(three)
}

func tooLarge(b *bench) {
	sink := b.sink()
	huge := b.record(1)
	huge.Value = make([]byte, 300<<10)
	err := sink.Write(b.ctx, []schemas.Record{b.record(0), huge, b.record(2)})
	var failed *schemas.WriteError
	if !errors.As(err, &failed) || len(failed.Failed) != 1 || !errors.Is(failed.Failed[1], schemas.ErrTooLarge) {
		b.Fatalf("write of a record too large among others: %v", err)
	}
	if err := sink.Write(b.ctx, []schemas.Record{b.record(3)}); err != nil {
		b.Fatalf("write after one too large: %v", err)
	}
	s := b.source()
	var got []string
	for _, d := range b.read(s, 3) {
		for _, r := range d.Records {
			got = append(got, string(r.Value))
		}
	}
	if !slices.Equal(got, []string{"0", "2", "3"}) {
		b.Errorf("beside one too large these are on the log: %v, want 0, 2 and 3", got)
	}
	b.close(s)
}

func writeContext(b *bench) {
	sink := b.sink()
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	err := sink.Write(ctx, []schemas.Record{b.record(0)})
	var failed *schemas.WriteError
	if !errors.Is(err, context.Canceled) || !errors.As(err, &failed) {
		b.Fatalf("write under a context that has ended: %v", err)
	}
	if err := sink.Write(b.ctx, []schemas.Record{b.record(1)}); err != nil {
		b.Fatalf("write after one that was canceled: %v", err)
	}
}

func closedSink(b *bench) {
	sink := b.sink()
	if err := sink.Close(b.ctx); err != nil {
		b.Fatal(err)
	}
	var failed *schemas.WriteError
	if err := sink.Write(b.ctx, []schemas.Record{b.record(0)}); !errors.As(err, &failed) {
		b.Fatalf("write to a closed sink: %v", err)
	}
}
