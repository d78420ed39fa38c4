package kafka

// What must not be lost when processes die, stop or start anew.

import (
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gleaner/schemas"
)

// ledger is the set of values that consumers saw.
type ledger struct {
	mu   sync.Mutex
	seen map[string]int
}

func (l *ledger) add(v string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen == nil {
		l.seen = map[string]int{}
	}
	l.seen[v]++
}

func (l *ledger) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.seen)
}

// twice is the number of values that were seen more than once.
func (l *ledger) twice() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, times := range l.seen {
		if times > 1 {
			n++
		}
	}
	return n
}

// watch enters all that the child says it saw, until it ends.
func (l *ledger) watch(c *child) {
	go func() {
		for c.lines.Scan() {
			if v, ok := strings.CutPrefix(c.lines.Text(), "saw "); ok {
				l.add(v)
			}
		}
	}()
}

func (l *ledger) await(t *testing.T, n int) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); l.len() < n; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d were seen", l.len(), n)
		}
	}
}

// consume reads with a member of its own, acknowledging, until the ledger has n values.
func (l *ledger) consume(t *testing.T, c *Client, group string, n int) {
	t.Helper()
	stop := l.follow(t, c, group)
	l.await(t, n)
	stop()
}

// follow reads with a member of its own, acknowledging, until it is stopped.
func (l *ledger) follow(t *testing.T, c *Client, group string) (stop func()) {
	t.Helper()
	s, err := c.Source(SourceConfig{Group: group, Topic: "work"})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		for {
			d, err := s.Read(context.Background())
			if err != nil {
				done <- err
				return
			}
			for i, r := range d.Records {
				l.add(string(r.Value))
				d.Ack(i)
			}
		}
	}()
	return func() {
		t.Helper()
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := <-done; !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
	}
}

func TestKilledConsumerLosesNothing(t *testing.T) {
	t.Parallel()
	addr := broker(t)
	c := client(t, quickConfig(addr))
	ensure(t, c, topic("work", 4))
	const total = 3000
	write(t, c, "work", 0, total)
	one := startChild(t, "consumer", "KAFKA_TEST_BROKER="+addr, "KAFKA_TEST_TOPIC=work")
	var l ledger
	l.watch(one)
	l.await(t, 700)
	one.kill(t)
	l.consume(t, c, "children", total)
	if l.twice() >= 700 {
		t.Error("nothing of what the killed consumer acknowledged was kept")
	}
	t.Logf("%d records were read twice", l.twice())
}

func TestStoppedMemberIsFenced(t *testing.T) {
	t.Parallel()
	addr := broker(t)
	c := client(t, quickConfig(addr))
	ensure(t, c, topic("work", 2))
	const total = 2000
	write(t, c, "work", 0, total)
	one := startChild(t, "consumer", "KAFKA_TEST_BROKER="+addr, "KAFKA_TEST_TOPIC=work")
	var l ledger
	l.watch(one)
	l.await(t, 300)
	if err := one.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	// Its session ends; another member takes over and finishes the work.
	l.consume(t, c, "children", total)
	before, err := c.Committed(t.Context(), "children", "work")
	if err != nil {
		t.Fatal(err)
	}
	// The stopped one wakes up with records in hand, acknowledges them and commits: nothing may move back.
	if err := one.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	write(t, c, "work", total, 100)
	l.await(t, total+100) // it has rejoined and reads what is new
	after, err := c.Committed(t.Context(), "children", "work")
	if err != nil {
		t.Fatal(err)
	}
	for p, offset := range before {
		if after[p] < offset {
			t.Errorf("partition %d: the committed offset went back from %d to %d", p, offset, after[p])
		}
	}
}

// The broker is killed with -9 and started again on the same folder and port, twice, under load: what a sink reported
// durable is there, sinks and sources go on by themselves, and committed offsets hold.
func TestBrokerKilledUnderLoad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := startChild(t, "broker", "KAFKA_TEST_DIR="+dir)
	addr := b.line(t, "ready ")
	c := client(t, quickConfig(addr))
	ensure(t, c, topic("work", 4))
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()

	const total = 600
	sink := c.Sink()
	written := make(chan error, 1)
	go func() {
		for i := range total {
			v := strconv.AppendInt(nil, int64(i), 10)
			if err := sink.Write(ctx, []schemas.Record{{Topic: "work", Key: v, Value: v}}); err != nil {
				written <- err
				return
			}
		}
		written <- sink.Close(ctx)
	}()
	s, err := c.Source(SourceConfig{Group: "g", Topic: "work"})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for len(seen) < total {
		d, err := s.Read(ctx)
		if err != nil {
			t.Fatalf("have %d of %d: %v", len(seen), total, err)
		}
		before := len(seen)
		for i, r := range d.Records {
			seen[string(r.Value)] = true
			d.Ack(i)
		}
		for _, at := range []int{200, 400} {
			if before < at && len(seen) >= at {
				b.kill(t)
				b = startChild(t, "broker", "KAFKA_TEST_DIR="+dir)
				if again := b.line(t, "ready "); again != addr {
					t.Fatalf("the broker came back at %s, was at %s", again, addr)
				}
			}
		}
	}
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	if err := s.Close(ctx); err != nil {
		t.Fatal(err)
	}
	lag, err := c.Lag(ctx, "g", "work")
	if err != nil || lag.Records != 0 {
		t.Errorf("after everything was acknowledged: lag %+v, error %v", lag, err)
	}
}

func TestSourceStopsWhenTheLogWasReplaced(t *testing.T) {
	t.Parallel()
	c := client(t, quickConfig(broker(t)))
	ensure(t, c, topic("work", 1))
	write(t, c, "work", 0, 100)
	var l ledger
	l.consume(t, c, "g", 100)
	// The topic is made anew, shorter than what the group has read.
	if err := deleteTopic(c, "work"); err != nil {
		t.Fatal(err)
	}
	ensure(t, c, topic("work", 1))
	write(t, c, "work", 0, 10)
	commit(t, c, "g", "work", 100)
	s, err := c.Source(SourceConfig{Group: "g", Topic: "work"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	_, err = s.Read(ctx)
	var gone *OffsetError
	if !errors.As(err, &gone) || gone.Offset != 100 || gone.Bounds.End != 10 {
		t.Fatalf("read of a log that ends below the committed offset: %v", err)
	}
	if _, err := s.Read(ctx); !errors.As(err, &gone) {
		t.Errorf("the next read: %v", err)
	}
	if err := s.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Read(ctx); errors.Is(err, io.EOF) {
		t.Error("after close the reason is forgotten")
	}
}

func TestSourceCountsWhatIsGone(t *testing.T) {
	t.Parallel()
	c := client(t, quickConfig(broker(t)))
	ensure(t, c, topic("work", 1))
	write(t, c, "work", 0, 50)
	commit(t, c, "g", "work", 10)
	deleteRecords(t, c, "work", 30)
	lag, err := c.Lag(t.Context(), "g", "work")
	if err != nil || lag.Records != 40 || lag.Gone != 20 {
		t.Errorf("lag: %+v, error %v", lag, err)
	}
	s, err := c.Source(SourceConfig{Group: "g", Topic: "work"})
	if err != nil {
		t.Fatal(err)
	}
	d, err := s.Read(t.Context())
	if err != nil || d.Records[0].Offset != 30 {
		t.Fatalf("first record: %+v, error %v", d.Records, err)
	}
	if got := counter(t, c.metrics.lost, "g", "work"); got != 20 {
		t.Errorf("counted %v records as lost, want 20", got)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// A broker that never answers must not keep anybody from stopping.
func TestStopsWithoutABroker(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0") // accepts, says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := client(t, quickConfig(l.Addr().String()))
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := c.Bounds(ctx, "work"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("bounds: %v", err)
	}
	if err := c.Append(ctx, schemas.Record{Topic: "work"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("append: %v", err)
	}
	s, err := c.Source(SourceConfig{Group: "g", Topic: "work"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Read(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("read: %v", err)
	}
	closing, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := s.Close(closing); err != nil {
		t.Errorf("close: %v", err)
	}
}
