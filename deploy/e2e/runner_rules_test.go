package e2e

// The runner's rules on the real engines, with processes that are really killed.

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gleaner/connectors/engine"
	"gleaner/connectors/kafka"
	"gleaner/schemas"
	"gleaner/stages/runner"
)

// eventually polls until ok, and fails the test after the limit.
func eventually(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

// written counts the records on a topic, copies included.
func written(t *testing.T, c *kafka.Client, topic schemas.Topic) (n int64) {
	t.Helper()
	bounds, err := c.Bounds(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range bounds {
		n += b.End - b.First
	}
	return n
}

// all reads a topic to its end.
func all(t *testing.T, c *kafka.Client, topic schemas.Topic) (out []schemas.Record) {
	t.Helper()
	var mu sync.Mutex
	err := c.Scan(t.Context(), topic, func(r schemas.Record) error {
		mu.Lock()
		defer mu.Unlock()
		out = append(out, r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// putSamples writes n samples of dataset d to the samples topic and returns their ids.
func putSamples(t *testing.T, c *kafka.Client, n int) map[schemas.SampleID]bool {
	t.Helper()
	ids := map[schemas.SampleID]bool{}
	var records []schemas.Record
	for i := range n {
		s := schemas.Sample{
			Dataset: "d", UniqueID: strconv.Itoa(i), Task: "detect", Stage: schemas.StageSamples, Received: time.Unix(1_700_000_000, 0).UTC(),
			Image: schemas.ImageRef{Size: 1000, MediaType: "image/png", W: 10, H: 10, Inline: bytes.Repeat([]byte{byte(i)}, 1000)},
		}
		s.ID = schemas.NewSampleID(s.Dataset, s.UniqueID, schemas.Hash{})
		value, err := schemas.EncodeSample(&s)
		if err != nil {
			t.Fatal(err)
		}
		ids[s.ID] = true
		records = append(records, schemas.Record{Topic: schemas.Samples, Key: []byte(s.ID.String()), Value: value})
	}
	produce(t, c, records)
	return ids
}

func produce(t *testing.T, c *kafka.Client, records []schemas.Record) {
	t.Helper()
	sink := c.Sink()
	defer sink.Close(context.Background())
	for len(records) > 0 {
		n := min(500, len(records))
		if err := sink.Write(t.Context(), records[:n]); err != nil {
			t.Fatal(err)
		}
		records = records[n:]
	}
}

// checkAcknowledged fails the test if an input below its group's committed offsets has no output.
func checkAcknowledged(t *testing.T, c *kafka.Client, step string, in, out schemas.Topic) {
	t.Helper()
	committed, err := c.Committed(t.Context(), "gleaner-"+step, in)
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for _, r := range all(t, c, out) {
		have[string(r.Key)] = true
	}
	lost, acknowledged := 0, 0
	for _, r := range all(t, c, in) {
		if r.Offset < committed[r.Partition] {
			acknowledged++
			if !have[string(r.Key)] {
				lost++
			}
		}
	}
	if lost > 0 {
		t.Errorf("step %s acknowledged %d records of %s, of which %d have nothing on %s", step, acknowledged, in, lost, out)
	}
}

// A process that runs three steps is killed again and again; nothing that it acknowledged is lost, and in the end each sample
// is there once: on labels once folded, and in ClickHouse. SIGTERM then ends it cleanly with all committed. Caught:
// acknowledging before the write; committing past a hole.
func TestKilledStepsLoseNothing(t *testing.T) {
	addr, client := brokerForTest(t)
	chCfg := engine.DefaultClickHouseConfig()
	chCfg.Dir = t.TempDir()
	ch, err := engine.NewClickHouse(chCfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	untilReady(t, ch.Run, ch.Ready())
	const n = 1200
	ids := putSamples(t, client, n)
	job := childJob{Steps: []string{"tag", "accept", "catalog"}, Brokers: []string{addr}, ClickHouse: ch.Addr(), Dir: t.TempDir()}

	const kills = 3
	for i := range int64(kills) {
		cmd, _ := job.spawn(t)
		eventually(t, time.Minute, "progress before the kill", func() bool {
			return written(t, client, schemas.Labels) > (i+1)*n/(kills+2)
		})
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		checkAcknowledged(t, client, "tag", schemas.Samples, schemas.Prelabeled)
		checkAcknowledged(t, client, "accept", schemas.Prelabeled, schemas.Labels)
	}
	cmd, _ := job.spawn(t)
	groups := map[string][]schemas.Topic{
		"tag": {schemas.Samples}, "accept": {schemas.Prelabeled}, "catalog": {schemas.Prelabeled, schemas.Labels},
	}
	lag := func() (total int64) {
		for step, topics := range groups {
			for _, topic := range topics {
				l, err := client.Lag(t.Context(), "gleaner-"+step, topic)
				if err != nil {
					t.Fatal(err)
				}
				total += l.Records
			}
		}
		return total
	}
	eventually(t, 3*time.Minute, "no lag", func() bool { return lag() == 0 })
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("SIGTERM: %v", err)
	}

	best := map[schemas.SampleID]schemas.Label{}
	copies := 0
	for _, r := range all(t, client, schemas.Labels) {
		l, err := schemas.DecodeLabel(r.Value)
		if err != nil {
			t.Fatal(err)
		}
		copies++
		if old, ok := best[l.SampleID]; ok && (old.Rank != l.Rank || old.Revision != l.Revision || len(old.Objects) != len(l.Objects)) {
			t.Fatalf("sample %s has two labels that differ", l.SampleID)
		}
		best[l.SampleID] = l
	}
	if len(best) != n {
		t.Errorf("%d samples on labels, want %d", len(best), n)
	}
	if dead := written(t, client, schemas.Dead); dead != 0 {
		t.Errorf("%d dead letters", dead)
	}
	db, err := openDB(t.Context(), ch.Addr(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows := 0
	for l, err := range db.Labels(t.Context(), "d") {
		if err != nil {
			t.Fatal(err)
		}
		if !ids[l.SampleID] {
			t.Fatalf("ClickHouse has %s twice, or one that nobody wrote", l.SampleID)
		}
		delete(ids, l.SampleID)
		rows++
	}
	counts, err := db.Counts(t.Context(), "d")
	if err != nil {
		t.Fatal(err)
	}
	if rows != n || counts.Labels[schemas.RankAutomatic] != n || counts.Stages[schemas.StagePrelabeled] != n {
		t.Errorf("ClickHouse has %d labels and counts %+v, want %d of each", rows, counts, n)
	}
	t.Logf("%d samples, %d kills, %d copies on labels", n, kills, copies-n)
}

// step runs a handler on the samples topic in this process until the test, or stop, ends it.
type step struct {
	*runner.Runner
	stop  context.CancelFunc
	ended chan error
}

func startStep(t *testing.T, c *kafka.Client, name string, cfg runner.Config, h runner.Handler) *step {
	t.Helper()
	source, err := c.Source(kafka.SourceConfig{Group: "gleaner-" + name, Topic: schemas.Samples})
	if err != nil {
		t.Fatal(err)
	}
	r, err := runner.New(name, cfg, runner.Deps{Sources: []runner.Source{source}, Sink: c.Sink(), Handler: h, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &step{r, stop, make(chan error, 1)}
	go func() { s.ended <- r.Run(ctx) }()
	t.Cleanup(stop)
	return s
}

// halt stops the step and returns why it ended.
func (s *step) halt(t *testing.T) error {
	t.Helper()
	s.stop()
	select {
	case err := <-s.ended:
		return err
	case <-time.After(30 * time.Second):
		t.Fatal("the step does not stop")
		return nil
	}
}

type handle func(context.Context, schemas.Record) ([]schemas.Emit, error)

func (h handle) Handle(ctx context.Context, r schemas.Record) ([]schemas.Emit, error) {
	return h(ctx, r)
}

// A poison record goes to the dead letters with its bytes untouched; once the step is mended, writing it back to its origin
// with replay-step brings it through that step alone.
func TestPoisonIsReplayed(t *testing.T) {
	_, client := brokerForTest(t)
	poison := make([]byte, 4096)
	_, _ = rand.Read(poison)
	produce(t, client, []schemas.Record{{
		Topic: schemas.Samples, Key: []byte("k"), Value: poison, Headers: []schemas.Header{{Key: "mine", Value: []byte{0, 0xff}}},
	}})
	good := putSamples(t, client, 50)

	var mended atomic.Bool
	pass := handle(func(_ context.Context, r schemas.Record) ([]schemas.Emit, error) {
		return []schemas.Emit{{Topic: schemas.Linted, Record: schemas.Record{Key: r.Key, Value: r.Value}}}, nil
	})
	first := startStep(t, client, "first", runner.DefaultConfig(), handle(func(ctx context.Context, r schemas.Record) ([]schemas.Emit, error) {
		if _, err := schemas.DecodeSample(r.Value); err != nil && !mended.Load() {
			return nil, schemas.NewFault(runner.ReasonUndecodable, err)
		}
		return pass(ctx, r)
	}))
	second := startStep(t, client, "second", runner.DefaultConfig(), handle(func(context.Context, schemas.Record) ([]schemas.Emit, error) {
		return nil, nil
	}))
	total := uint64(len(good) + 1)
	eventually(t, 30*time.Second, "both steps at the end", func() bool { return first.Stats().In == total && second.Stats().In == total })

	letters := all(t, client, schemas.Dead)
	if len(letters) != 1 || !bytes.Equal(letters[0].Value, poison) || string(letters[0].Key) != "k" {
		t.Fatalf("%d dead letters, or other bytes", len(letters))
	}
	l := letters[0]
	header := func(name string) string {
		v, ok := l.Header(name)
		if !ok {
			t.Errorf("no header %s", name)
		}
		return v
	}
	if header("mine") != "\x00\xff" || header(schemas.HeaderStep) != "first" || header(schemas.HeaderReason) != runner.ReasonUndecodable || header(schemas.HeaderAttempt) != "1" {
		t.Errorf("headers: %v", l.Headers)
	}
	origin := schemas.Topic(header(schemas.HeaderOriginTopic))
	partition, offset := header(schemas.HeaderOriginPartition), header(schemas.HeaderOriginOffset)
	found := false
	for _, r := range all(t, client, origin) {
		found = found || bytes.Equal(r.Value, poison) && fmt.Sprint(r.Partition) == partition && fmt.Sprint(r.Offset) == offset
	}
	if !found {
		t.Errorf("the poison is not at %s[%s]@%s", origin, partition, offset)
	}

	mended.Store(true)
	l.Topic = origin
	l.Headers = append(l.Headers, schemas.Header{Key: schemas.HeaderReplayStep, Value: []byte("first")})
	produce(t, client, []schemas.Record{l})
	eventually(t, 30*time.Second, "the replay through the first step, past the second", func() bool {
		return first.Stats().In == total+1 && second.Stats().Passed == 1
	})
	linted := 0
	for _, r := range all(t, client, schemas.Linted) {
		if bytes.Equal(r.Value, poison) {
			linted++
			if _, ok := r.Header(schemas.HeaderReplayStep); ok {
				t.Error("the output is still marked as a replay")
			}
		}
	}
	if linted != 1 || second.Stats().In != total {
		t.Errorf("the poison came through %d times; the second step handled %d records, want %d", linted, second.Stats().In, total)
	}
	for _, s := range []*step{first, second} {
		if err := s.halt(t); err != nil {
			t.Error(err)
		}
	}
}

// A topic full of garbage stops the step after its limit, with the offset behind what it set aside; mended and started again it
// goes on from there. A topic full of duplicates, each rejected, does not stop it.
func TestFloodStopsDuplicatesDoNot(t *testing.T) {
	_, client := brokerForTest(t)
	const n = 2000
	ids := putSamples(t, client, n)
	cfg := runner.DefaultConfig()
	cfg.FaultWindow, cfg.FaultLimit = 500, 50

	broken := startStep(t, client, "x", cfg, handle(func(context.Context, schemas.Record) ([]schemas.Emit, error) {
		return nil, schemas.NewFault("wrong-model", errors.New("all are wrong"))
	}))
	var flood *runner.TooManyFaultsError
	select {
	case err := <-broken.ended:
		if !errors.As(err, &flood) || !strings.Contains(err.Error(), "fault_limit") {
			t.Fatalf("Run: %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the flood does not stop the step")
	}
	if dead := written(t, client, schemas.Dead); dead != int64(cfg.FaultLimit) {
		t.Errorf("%d dead letters, want %d", dead, cfg.FaultLimit)
	}
	checkAcknowledged(t, client, "x", schemas.Samples, schemas.Dead)

	rejecting := startStep(t, client, "x", cfg, handle(func(_ context.Context, r schemas.Record) ([]schemas.Emit, error) {
		return []schemas.Emit{{Topic: schemas.Rejects, Record: schemas.Record{Key: r.Key, Value: r.Value}}}, nil
	}))
	ended := map[string]bool{}
	eventually(t, 60*time.Second, "every sample dead or rejected", func() bool {
		if rejecting.Stats().In < n-uint64(cfg.FaultLimit) {
			return false
		}
		for _, topic := range []schemas.Topic{schemas.Dead, schemas.Rejects} {
			for _, r := range all(t, client, topic) {
				ended[string(r.Key)] = true
			}
		}
		return len(ended) == len(ids)
	})
	if err := rejecting.halt(t); err != nil {
		t.Errorf("rejects stopped the step: %v", err)
	}
}

// A slow step over a long topic holds no more than its limit and what its source buffers. The process that runs it reports
// its largest live heap.
func TestMemoryBehindASlowStep(t *testing.T) {
	addr, client := brokerForTest(t)
	const (
		size    = 256 << 10
		records = 600 // 150 MiB
		limit   = 16 << 20
		fetch   = 8 * 4 * (1 << 20) // partitions, each with deliveries of 1 MiB, one handed out, one made, and fetches of 1 MiB
		slack   = 24 << 20          // process, Arrow, client buffers
	)
	noise := make([]byte, size+records)
	_, _ = rand.Read(noise)
	for i := range records {
		produce(t, client, []schemas.Record{{Topic: schemas.Raw, Key: []byte(strconv.Itoa(i)), Value: noise[i : i+size]}})
	}
	job := childJob{Steps: []string{"slow"}, Brokers: []string{addr}, Dir: t.TempDir(), InFlight: limit}
	cmd, out := job.spawn(t)
	eventually(t, 3*time.Minute, "no lag", func() bool {
		l, err := client.Lag(t.Context(), "gleaner-slow", schemas.Raw)
		if err != nil {
			t.Fatal(err)
		}
		return l.Records == 0
	})
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("SIGTERM: %v", err)
	}
	peak, err := strconv.ParseInt(strings.TrimSpace(out.String()), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("live heap %v at most, behind %v", schemas.ByteSize(peak), schemas.ByteSize(size*records))
	if peak > limit+fetch+slack {
		t.Errorf("live heap of %v, want at most %v", schemas.ByteSize(peak), schemas.ByteSize(limit+fetch+slack))
	}
}
