package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"runtime/metrics"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gleaner/connectors/blob"
	"gleaner/connectors/clickhouse"
	"gleaner/connectors/engine"
	"gleaner/connectors/kafka"
	"gleaner/schemas"
	"gleaner/stages/analysis"
	"gleaner/stages/catalog"
	"gleaner/stages/rules"
	"gleaner/stages/runner"
)

// runnerChildEnv holds the childJob of a process that runs steps until SIGTERM.
const runnerChildEnv = "GLEANER_E2E_RUNNER"

// childJob says what such a process runs and where.
type childJob struct {
	Steps      []string // of childSteps
	Brokers    []string
	ClickHouse string
	Dir        string
	InFlight   schemas.ByteSize
}

// runnerChild is main of such a process. It prints the largest live heap that it saw, in bytes, when it ends.
func runnerChild() int {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	var job childJob
	err := json.Unmarshal([]byte(os.Getenv(runnerChildEnv)), &job)
	if err == nil {
		var peak uint64
		peak, err = job.run(ctx, log)
		fmt.Println(peak)
	}
	if err != nil {
		log.Error("child", "error", err)
		return 1
	}
	return 0
}

func (j childJob) run(ctx context.Context, log *slog.Logger) (peak uint64, err error) {
	client, err := kafka.New(kafkaConfig(j.Brokers), log)
	if err != nil {
		return 0, err
	}
	defer client.Close(context.Background())
	guard, err := runner.OpenGuard(j.Dir+"/state", log)
	if err != nil {
		return 0, err
	}
	blobCfg := blob.Config{URL: "file://" + j.Dir + "/blobs"}
	blobs, err := blob.Open(ctx, blobCfg)
	if err != nil {
		return 0, err
	}
	defer blobs.Close()
	var db *clickhouse.DB
	if j.ClickHouse != "" {
		if db, err = openDB(ctx, j.ClickHouse, log); err != nil {
			return 0, err
		}
		defer db.Close()
	}
	var steps sync.WaitGroup
	errs := make(chan error, len(j.Steps))
	for _, name := range j.Steps {
		cfg := runner.DefaultConfig()
		if j.InFlight > 0 {
			cfg.MaxInFlightBytes, cfg.MaxInFlightRecords = j.InFlight, 1<<20
		}
		cfg.MaxInFlightRecords = max(cfg.MaxInFlightRecords, 1024)
		deps := runner.Deps{Sink: client.Sink(), Log: log, Guard: guard}
		var topics []schemas.Topic
		switch name {
		case "tag": // samples → prelabeled
			topics, deps.Handler = []schemas.Topic{schemas.Samples}, runner.Samples(tag{}, schemas.Prelabeled, blobs)
		case "accept": // prelabeled → labels
			topics, deps.Handler = []schemas.Topic{schemas.Prelabeled}, accept{}
		case "catalog": // both → ClickHouse
			topics, deps.Batch = []schemas.Topic{schemas.Prelabeled, schemas.Labels}, catalog.New(db, blobs, log)
		case "analysis": // losses → ClickHouse
			step, err := analysis.New(analysis.DefaultConfig(), db, blobs, &rules.Registry{}, log)
			if err != nil {
				return 0, err
			}
			cfg.Concurrency, cfg.BatchWait = 1, 100*time.Millisecond
			topics, deps.Batch = []schemas.Topic{schemas.LossRows}, step
			steps.Go(func() { step.Summarize(ctx) })
		case "slow": // raw → nothing
			topics, deps.Handler = []schemas.Topic{schemas.Raw}, slow{}
		}
		for _, topic := range topics {
			source, err := client.Source(kafka.SourceConfig{Group: "gleaner-" + name, Topic: topic})
			if err != nil {
				return 0, err
			}
			deps.Sources = append(deps.Sources, source)
		}
		r, err := runner.New(name, cfg, deps)
		if err != nil {
			return 0, err
		}
		steps.Go(func() {
			if err := r.Run(ctx); err != nil {
				errs <- err
			}
		})
	}
	ended := make(chan struct{})
	go func() { steps.Wait(); close(ended) }()
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	for {
		select {
		case err := <-errs:
			return peak, err
		case <-ended:
			return peak, guard.Close()
		case <-time.After(10 * time.Millisecond):
			metrics.Read(live)
			peak = max(peak, live[0].Value.Uint64())
		}
	}
}

// tag is a Processor that adds one object.
type tag struct{}

func (tag) Process(_ context.Context, in schemas.Sample) ([]schemas.Sample, error) {
	in.Stage = schemas.StagePrelabeled
	in.Objects = []schemas.Object{{ID: "o1", Class: "car", Score: 0.5}}
	time.Sleep(200 * time.Microsecond)
	return []schemas.Sample{in}, nil
}

// accept makes a label of every sample.
type accept struct{}

func (accept) Handle(_ context.Context, rec schemas.Record) ([]schemas.Emit, error) {
	s, err := schemas.DecodeSample(rec.Value)
	if err != nil {
		return nil, schemas.NewFault(runner.ReasonUndecodable, err)
	}
	value, err := schemas.EncodeLabel(&schemas.Label{
		SampleID: s.ID, Dataset: s.Dataset, UniqueID: s.UniqueID, Task: s.Task, Image: s.Image, Rank: schemas.RankAutomatic,
		Objects: s.Objects, Actor: "route", At: s.Received,
	})
	if err != nil {
		return nil, err
	}
	return []schemas.Emit{{Topic: schemas.Labels, Record: schemas.Record{Key: []byte(s.ID.String()), Value: value}}}, nil
}

// slow takes its time and gives nothing.
type slow struct{}

func (slow) Handle(context.Context, schemas.Record) ([]schemas.Emit, error) {
	time.Sleep(10 * time.Millisecond)
	return nil, nil
}

// kafkaConfig has short sessions, so that a killed member is soon taken for dead.
func kafkaConfig(brokers []string) kafka.Config {
	cfg := kafka.DefaultConfig()
	cfg.Brokers = brokers
	cfg.Consume.FetchBytes, cfg.Consume.DeliveryBytes = 1<<20, 1<<20
	cfg.Group.SessionTimeout, cfg.Group.Heartbeat, cfg.Group.Drain = 1500*time.Millisecond, 200*time.Millisecond, time.Second
	cfg.Group.CommitEvery = 100 * time.Millisecond
	return cfg
}

func openDB(ctx context.Context, addr string, log *slog.Logger) (*clickhouse.DB, error) {
	cfg := clickhouse.DefaultConfig()
	cfg.Addrs = []string{addr}
	db, err := clickhouse.Open(ctx, cfg, log)
	if err != nil {
		return nil, err
	}
	if err := db.Migrate(ctx); err != nil {
		return nil, err
	}
	return db, nil
}

// spawn starts a process that runs the job. It is killed with the test, which shows its log when it fails; what it printed is in
// out once it has ended.
func (j childJob) spawn(t *testing.T) (cmd *exec.Cmd, out *strings.Builder) {
	t.Helper()
	data, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	out = &strings.Builder{}
	var errs strings.Builder
	cmd = exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), runnerChildEnv+"="+string(data))
	cmd.Stdout, cmd.Stderr = out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			if t.Failed() { // show what it was doing
				_ = cmd.Process.Signal(syscall.SIGQUIT)
				time.Sleep(time.Second)
			}
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
		if t.Failed() {
			t.Logf("process %d:\n%s", cmd.Process.Pid, errs.String())
		}
	})
	return cmd, out
}

// brokerForTest starts an embedded Kafka with all topics, for the length of the test, and a client of it.
func brokerForTest(t *testing.T) (string, *kafka.Client) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	cfg := engine.DefaultKafkaConfig()
	cfg.Dir = t.TempDir()
	broker, err := engine.NewKafka(cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	untilReady(t, broker.Run, broker.Ready())
	client, err := kafka.New(kafkaConfig([]string{broker.Addr()}), log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close(context.Background()) })
	if err := client.EnsureTopics(t.Context(), schemas.TopicSpecs()); err != nil {
		t.Fatal(err)
	}
	return broker.Addr(), client
}

// untilReady runs an engine for the length of the test and waits until it is ready.
func untilReady(t *testing.T, run func(context.Context) error, ready <-chan struct{}) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	var failed atomic.Bool
	go func() { ended <- run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if failed.Load() {
			return
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	select {
	case <-ready:
	case err := <-ended:
		failed.Store(true)
		t.Fatalf("engine ended: %v", err)
	}
}
