package kafka

// The brokers that the tests run on: embedded ones, in this process or in one of their own, and a real one where
// GLEANER_KAFKA=host:port names it.

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"gleaner/connectors/engine"
	"gleaner/schemas"
)

// TestMain lets the test binary be other processes: a broker or a consumer that can be killed.
func TestMain(m *testing.M) {
	switch os.Getenv("KAFKA_TEST_CHILD") {
	case "":
		os.Exit(m.Run())
	case "broker":
		childBroker()
	case "consumer":
		childConsumer()
	}
}

func quiet(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(testLog{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

type testLog struct{ testing.TB }

func (l testLog) Write(p []byte) (int, error) {
	select {
	case <-l.Context().Done(): // the test is over, its goroutines nearly
	default:
		l.Log(strings.TrimSpace(string(p)))
	}
	return len(p), nil
}

// broker returns the address of an embedded broker that ends with the test.
func broker(t testing.TB) string {
	t.Helper()
	cfg := engine.DefaultKafkaConfig()
	cfg.Dir = t.TempDir()
	cfg.SyncWrites = false // nobody cuts the power here
	k, err := engine.NewKafka(cfg, quiet(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- k.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	select {
	case <-k.Ready():
	case err := <-done:
		done <- err
		t.Fatal(err)
	}
	return k.Addr()
}

// quickConfig makes groups settle fast, within what real brokers allow.
func quickConfig(addr string) Config {
	cfg := DefaultConfig()
	cfg.Brokers = []string{addr}
	cfg.Group.Heartbeat = 200 * time.Millisecond
	cfg.Group.Drain = time.Second
	cfg.Group.CommitEvery = 100 * time.Millisecond
	return cfg
}

func client(t testing.TB, cfg Config) *Client {
	t.Helper()
	c, err := New(cfg, quiet(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return c
}

func topic(name string, partitions int) schemas.TopicSpec {
	return schemas.TopicSpec{Name: schemas.Topic(name), Partitions: partitions, Retention: schemas.Forever, Cleanup: schemas.Delete, MaxMessageBytes: 1 << 20}
}

func ensure(t testing.TB, c *Client, specs ...schemas.TopicSpec) {
	t.Helper()
	if err := c.EnsureTopics(t.Context(), specs); err != nil {
		t.Fatal(err)
	}
}

// write makes n records durable whose values are the numbers from first on, with one key each.
func write(t testing.TB, c *Client, topic schemas.Topic, first, n int) {
	t.Helper()
	sink := c.Sink()
	records := make([]schemas.Record, n)
	for i := range records {
		v := strconv.AppendInt(nil, int64(first+i), 10)
		records[i] = schemas.Record{Topic: topic, Key: v, Value: v}
	}
	if err := sink.Write(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	if err := sink.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func deleteTopic(c *Client, name schemas.Topic) error {
	_, err := c.api.DeleteTopics(context.Background(), &kafkago.DeleteTopicsRequest{Topics: []string{string(name)}})
	return err
}

// child is this test binary as another process, which says on its output what it did.
type child struct {
	*exec.Cmd
	lines *bufio.Scanner
	stdin interface{ Close() error }
}

func startChild(t testing.TB, role string, env ...string) *child {
	t.Helper()
	c := &child{Cmd: exec.Command(os.Args[0])}
	c.Env = append(append(os.Environ(), "KAFKA_TEST_CHILD="+role), env...)
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if c.stdin, err = c.StdinPipe(); err != nil { // its end tells the child that this process is gone
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	c.lines = bufio.NewScanner(out)
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	return c
}

func (c *child) kill(t testing.TB) {
	t.Helper()
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_, _ = c.Process.Wait() // what it said before stays readable
}

// line returns the next line that begins with the prefix, without it.
func (c *child) line(t testing.TB, prefix string) string {
	t.Helper()
	for c.lines.Scan() {
		if rest, ok := strings.CutPrefix(c.lines.Text(), prefix); ok {
			return rest
		}
	}
	t.Fatalf("the child ended before it said %q", prefix)
	return ""
}

// childBroker serves KAFKA_TEST_DIR until its input ends.
func childBroker() {
	cfg := engine.DefaultKafkaConfig()
	cfg.Dir = os.Getenv("KAFKA_TEST_DIR")
	cfg.SyncWrites = false // a kill leaves the kernel's pages alone
	k, err := engine.NewKafka(cfg, slog.Default())
	if err != nil {
		panic(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		<-k.Ready()
		fmt.Println("ready", k.Addr())
		_, _ = os.Stdin.Read(make([]byte, 1))
		stop()
	}()
	if err := k.Run(ctx); err != nil {
		panic(err)
	}
}

// childConsumer reads KAFKA_TEST_TOPIC from KAFKA_TEST_BROKER, says each value and acknowledges it after.
func childConsumer() {
	c, err := New(quickConfig(os.Getenv("KAFKA_TEST_BROKER")), slog.New(slog.DiscardHandler))
	if err != nil {
		panic(err)
	}
	s, err := c.Source(SourceConfig{Group: "children", Topic: schemas.Topic(os.Getenv("KAFKA_TEST_TOPIC"))})
	if err != nil {
		panic(err)
	}
	go func() { // never outlives its parent
		_, _ = os.Stdin.Read(make([]byte, 1))
		os.Exit(0)
	}()
	for {
		d, err := s.Read(context.Background())
		if err != nil {
			panic(err)
		}
		for i, r := range d.Records {
			fmt.Printf("saw %s\n", r.Value)
			d.Ack(i)
			time.Sleep(time.Millisecond)
		}
	}
}
