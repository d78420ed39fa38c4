package engine

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"gleaner/connectors/kafka"
	"gleaner/schemas"
)

// TestKafkaChild is not a test: it is the broker that the others run as a process of its own, until its input ends.
func TestKafkaChild(t *testing.T) {
	dir := os.Getenv("GLEANER_TEST_KAFKA_DIR")
	if dir == "" {
		t.Skip("not a child")
	}
	ctx, stop := context.WithCancel(context.Background())
	k := kafkaOn(t, dir)
	go func() {
		<-k.Ready()
		fmt.Println("ready", k.Addr())
		_, _ = os.Stdin.Read(make([]byte, 1))
		stop()
	}()
	if err := k.Run(ctx); err != nil {
		t.Fatal(err)
	}
}

func kafkaOn(t *testing.T, dir string) *Kafka {
	t.Helper()
	cfg := DefaultKafkaConfig()
	cfg.Dir = dir
	cfg.SegmentBytes = 1 << 20
	cfg.SyncWrites = false // a kill leaves the kernel's pages alone
	k, err := NewKafka(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// kafkaProcess is a broker that can be killed.
func kafkaProcess(t *testing.T, dir string) (addr string, kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKafkaChild$")
	cmd.Env = append(os.Environ(), "GLEANER_TEST_KAFKA_DIR="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	t.Cleanup(kill)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if addr, ok := strings.CutPrefix(lines.Text(), "ready "); ok {
			return addr, kill
		}
	}
	t.Fatal("the broker ended before it was ready")
	return "", nil
}

func kafkaClient(t *testing.T, addr string) *kafka.Client {
	t.Helper()
	cfg := kafka.DefaultConfig()
	cfg.Brokers = []string{addr}
	c, err := kafka.New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

func kafkaSpec(name string, retention time.Duration) schemas.TopicSpec {
	return schemas.TopicSpec{Name: schemas.Topic(name), Partitions: 2, Retention: retention, Cleanup: schemas.Delete, MaxMessageBytes: 1 << 20}
}

func TestKafkaSurvivesKill(t *testing.T) {
	dir := t.TempDir()
	addr, kill := kafkaProcess(t, dir)
	c := kafkaClient(t, addr)
	spec := kafkaSpec("work", time.Hour)
	if err := c.EnsureTopics(t.Context(), []schemas.TopicSpec{spec}); err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	value := make([]byte, 20_000) // several segments
	for round := range 3 {
		sink := c.Sink()
		for i := range 100 {
			key := fmt.Sprint(round, "-", i)
			if err := sink.Write(t.Context(), []schemas.Record{{Topic: "work", Key: []byte(key), Value: value}}); err != nil {
				t.Fatal(err)
			}
			want[key] = true
		}
		before, err := c.Bounds(t.Context(), "work")
		if err != nil {
			t.Fatal(err)
		}
		kill()
		var again string
		if again, kill = kafkaProcess(t, dir); again != addr {
			t.Fatalf("came back at %s, was at %s", again, addr)
		}
		after, err := c.Bounds(t.Context(), "work")
		if err != nil {
			t.Fatal(err)
		}
		for p := range before {
			if before[p] != after[p] {
				t.Errorf("partition %d: bounds %+v, before the kill %+v", p, after[p], before[p])
			}
		}
		if err := sink.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]bool{}
	if err := c.Scan(t.Context(), "work", func(r schemas.Record) error {
		seen[string(r.Key)] = len(r.Value) == len(value)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for k := range want {
		if !seen[k] {
			t.Errorf("%s was acknowledged and is gone", k)
		}
	}
	// The topic's settings are still the schema's: a process that asks for others is the first to alter them.
	var log bytes.Buffer
	cfg := kafka.DefaultConfig()
	cfg.Brokers = []string{addr}
	strict, err := kafka.New(cfg, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer strict.Close(context.Background())
	if err := strict.EnsureTopics(t.Context(), []schemas.TopicSpec{spec}); err != nil || log.Len() > 0 {
		t.Errorf("the topic's settings changed: %s, error %v", log.String(), err)
	}
}

// Retention removes what is expired but for the last record of a partition, so that offsets go on after a restart.
func TestKafkaRetentionKeepsOffsets(t *testing.T) {
	dir := t.TempDir()
	addr, kill := kafkaProcess(t, dir)
	c := kafkaClient(t, addr)
	specs := []schemas.TopicSpec{kafkaSpec("brief", time.Hour), kafkaSpec("ever", schemas.Forever)}
	if err := c.EnsureTopics(t.Context(), specs); err != nil {
		t.Fatal(err)
	}
	old, key := time.Now().Add(-2*time.Hour), []byte("k")
	var records []schemas.Record
	for i := range 200 {
		for _, s := range specs {
			records = append(records, schemas.Record{Topic: s.Name, Key: key, Value: make([]byte, 20_000), Time: old})
		}
		_ = i
	}
	sink := c.Sink()
	if err := sink.Write(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	expire := func() {
		k := kafkaOn(t, dir)
		admin, err := kgo.NewClient(kgo.SeedBrokers(addr))
		if err != nil {
			t.Fatal(err)
		}
		defer admin.Close()
		if err := k.expire(t.Context(), admin, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	bounds := func(topic schemas.Topic) kafka.Bounds {
		b, err := c.Bounds(t.Context(), topic)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range b {
			if b.End > 0 {
				return b
			}
		}
		t.Fatal("no partition with records")
		return kafka.Bounds{}
	}
	expire()
	if b := bounds("brief"); b != (kafka.Bounds{First: 199, End: 200}) {
		t.Errorf("expired records: bounds %+v, want the last record alone", b)
	}
	if b := bounds("ever"); b.First != 0 || b.End != 200 {
		t.Errorf("records kept for ever: bounds %+v", b)
	}
	kill()
	addr, _ = kafkaProcess(t, dir)
	if b := bounds("brief"); b.End != 200 {
		t.Errorf("after a kill the offsets go on from %d, want 200", b.End)
	}
	// New records stay.
	if err := sink.Write(t.Context(), []schemas.Record{{Topic: "brief", Key: key, Value: []byte("new")}, {Topic: "brief", Key: key, Value: []byte("newer")}}); err != nil {
		t.Fatal(err)
	}
	expire()
	if b := bounds("brief"); b != (kafka.Bounds{First: 200, End: 202}) {
		t.Errorf("beside records that are not expired: bounds %+v", b)
	}
	_ = sink.Close(t.Context())
}

func TestKafkaFolderIsForOneProcess(t *testing.T) {
	dir := t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	one := kafkaOn(t, dir)
	done := make(chan error, 1)
	go func() { done <- one.Run(ctx) }()
	<-one.Ready()
	if err := kafkaOn(t, dir).Run(ctx); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("a second broker on the folder: %v", err)
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	again := kafkaOn(t, dir)
	ctx, stop = context.WithCancel(t.Context())
	go func() { done <- again.Run(ctx) }()
	<-again.Ready()
	if again.Addr() != one.Addr() {
		t.Errorf("came back at %s, was at %s", again.Addr(), one.Addr())
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestKafkaConfig(t *testing.T) {
	for want, change := range map[string]func(*KafkaConfig){
		"dir: name a folder":         func(c *KafkaConfig) { c.Dir = "" },
		"port: 70000":                func(c *KafkaConfig) { c.Port = 70000 },
		"segment_bytes: 1KiB":        func(c *KafkaConfig) { c.SegmentBytes = 1 << 10 },
		"retention_every: want more": func(c *KafkaConfig) { c.RetentionEvery = 0 },
	} {
		cfg := DefaultKafkaConfig()
		cfg.Dir = "somewhere"
		change(&cfg)
		if _, err := NewKafka(cfg, slog.Default()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got: %v", want, err)
		}
	}
}

// batches returns n batches as they lie on disk, as far as recovery looks at them.
func batches(n int, first int64) []byte {
	var out []byte
	for i := range n {
		b := make([]byte, 100)
		put := func(at int, v uint64, bytes int) {
			for j := range bytes {
				b[at+j] = byte(v >> (8 * (bytes - 1 - j)))
			}
		}
		put(0, uint64(first)+uint64(3*i), 8)
		put(8, uint64(len(b)-12), 4)
		put(23, 2, 4)
		put(35, uint64(time.Now().UnixMilli()), 8)
		out = append(out, b...)
	}
	return out
}

func TestRecoverPartition(t *testing.T) {
	write := func(t *testing.T, files map[string][]byte) string {
		dir := t.TempDir()
		for name, b := range files {
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	t.Run("a batch that was being written is cut", func(t *testing.T) {
		whole := batches(3, 30)
		dir := write(t, map[string][]byte{"0.dat": batches(10, 0), "30.dat": slices.Concat(whole, batches(1, 39)[:60])})
		if err := recoverPartition(dir); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(filepath.Join(dir, "30.dat")); err != nil || !bytes.Equal(b, whole) {
			t.Errorf("%d bytes are left, want %d; error %v", len(b), len(whole), err)
		}
		if b, err := os.ReadFile(filepath.Join(dir, "snapshot.json")); err != nil || !bytes.Contains(b, []byte(`"high_watermark":39,`)) {
			t.Errorf("snapshot %s, error %v", b, err)
		}
	})
	t.Run("a damaged older file is refused", func(t *testing.T) {
		dir := write(t, map[string][]byte{"0.dat": batches(10, 0)[:950], "30.dat": batches(1, 30)})
		if err := recoverPartition(dir); err == nil || !strings.Contains(err.Error(), "0.dat is damaged at byte 900 of 950") {
			t.Errorf("error: %v", err)
		}
	})
	t.Run("transactions are left to the engine", func(t *testing.T) {
		b := batches(2, 0)
		b[100+22] = 0x10
		dir := write(t, map[string][]byte{"0.dat": b})
		if err := recoverPartition(dir); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(dir, "snapshot.json")); err == nil {
			t.Error("there is a snapshot")
		}
	})
}

// Whatever a crash left in a file, recovery neither fails nor leaves a snapshot that does not fit.
func FuzzRecoverPartition(f *testing.F) {
	f.Add(batches(3, 0), 250)
	f.Add(batches(1, 1<<62), 100)
	f.Add([]byte{}, 0)
	f.Add(bytes.Repeat([]byte{0xff}, 200), 200)
	f.Fuzz(func(t *testing.T, b []byte, keep int) {
		dir := t.TempDir()
		path := filepath.Join(dir, "0.dat")
		if keep >= 0 && keep < len(b) {
			b = b[:keep]
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := recoverPartition(dir); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		snap, err := os.ReadFile(filepath.Join(dir, "snapshot.json"))
		if err == nil && !bytes.Contains(snap, []byte(`"size":`+strconv.FormatInt(info.Size(), 10)+`}`)) && !bytes.Contains(snap, []byte(`"size":`+strconv.FormatInt(info.Size(), 10)+`,`)) {
			t.Errorf("the file has %d bytes, the snapshot says %s", info.Size(), snap)
		}
	})
}

// BenchmarkKafkaRecover measures how fast a log that was not closed is prepared for opening.
func BenchmarkKafkaRecover(b *testing.B) {
	dir := b.TempDir()
	batch := batches(1, 0)
	batch = append(batch, make([]byte, 100_000)...)
	batch[10], batch[11] = byte((len(batch)-12)>>8), byte(len(batch)-12)
	batch[9] = byte((len(batch) - 12) >> 16)
	rng := rand.NewChaCha8([32]byte{})
	_, _ = rng.Read(batch[50:])
	var file []byte
	for i := range 160 {
		batch[7] = byte(3 * i % 256)
		file = append(file, batch...)
	}
	if err := os.WriteFile(filepath.Join(dir, "0.dat"), file, 0o644); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		_ = os.Remove(filepath.Join(dir, "snapshot.json"))
		if err := recoverPartition(dir); err != nil {
			b.Fatal(err)
		}
	}
}
