package e2e

// What the tests of the desk share, and an instance in a process of its own, which can be killed.

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"gleaner/connectors/blob"
	"gleaner/connectors/kafka"
	"gleaner/schemas"
	"gleaner/stages/humanlabel"
)

const deskChildEnv = "GLEANER_E2E_DESK"

// deskChildJob is where the child finds the log and the blobs.
type deskChildJob struct {
	Broker, Blobs string
}

// TestDeskChild is the child: it claims and drafts until it is killed, and prints the id of each command once it is in effect.
func TestDeskChild(t *testing.T) {
	var job deskChildJob
	text := os.Getenv(deskChildEnv)
	if text == "" {
		t.Skip("runs as a child of TestDeskKilled only")
	}
	if err := json.Unmarshal([]byte(text), &job); err != nil {
		t.Fatal(err)
	}
	store := openBlobs(t, job.Blobs)
	desk := startInstance(t, job.Broker, store, quickDesk())
	for i := 0; ; i++ {
		out := do(t, desk, fmt.Sprintf("child-%d-claim-%d", os.Getpid(), i), "alice", schemas.CommandClaim, schemas.ClaimBody{Lease: time.Hour})
		if out.Verdict == schemas.Empty {
			return
		}
		fmt.Println("done", out.CommandID)
		out = do(t, desk, fmt.Sprintf("child-%d-draft-%d", os.Getpid(), i), "alice", schemas.CommandDraft, schemas.DraftBody{
			TaskID: out.Task.ID, Version: out.Task.Version, Draft: schemas.BlobRef{Key: "bodies/draft", Size: 1},
		})
		if out.Verdict != schemas.Applied {
			t.Fatalf("draft: %+v", out)
		}
		fmt.Println("done", out.CommandID)
	}
}

// runChild lets a child work until it has reported n commands, kills it with -9, and returns all that it reported.
func (j deskChildJob) runChild(t *testing.T, n int) (done []string) {
	t.Helper()
	text, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestDeskChild$")
	cmd.Env = append(os.Environ(), deskChildEnv+"="+string(text))
	cmd.Stderr = t.Output()
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Wait() }()
	lines := bufio.NewScanner(pipe)
	for lines.Scan() {
		var id string
		if k, _ := fmt.Sscanf(lines.Text(), "done %s", &id); k == 1 {
			done = append(done, id)
		} else {
			t.Log("child: ", lines.Text())
		}
		if len(done) == n {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(done) < n {
		t.Fatalf("the child ended after %d commands", len(done))
	}
	return done
}

// quickDesk saves snapshots often, so that restarts use them.
func quickDesk() humanlabel.Config {
	cfg := humanlabel.DefaultConfig()
	cfg.SnapshotEvery, cfg.HashEvery, cfg.TickEvery = 100, 100, 50*time.Millisecond
	return cfg
}

func openBlobs(t *testing.T, dir string) blob.Store {
	t.Helper()
	store, err := blob.Open(t.Context(), blob.Config{URL: "file://" + dir})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// clientOf is a client of its own, as another process would have.
func clientOf(t *testing.T, broker string) *kafka.Client {
	t.Helper()
	cfg := kafkaConfig([]string{broker})
	cfg.Consume.FetchWait = 50 * time.Millisecond // closing a reader waits for its last fetch
	client, err := kafka.New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close(context.Background()) })
	return client
}

// startInstance runs a desk until the test ends, and fails the test if it ends before.
func startInstance(t *testing.T, broker string, store blob.Store, cfg humanlabel.Config) *humanlabel.Desk {
	t.Helper()
	desk, stop := runInstance(t, broker, store, cfg)
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return desk
}

// runInstance runs a desk until stop, which returns why it ended.
func runInstance(t *testing.T, broker string, store blob.Store, cfg humanlabel.Config) (*humanlabel.Desk, func() error) {
	t.Helper()
	desk, err := humanlabel.New(cfg, clientOf(t, broker), store, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- desk.Run(ctx) }()
	return desk, func() error {
		cancel()
		return <-ended
	}
}

// do has a desk decide a command.
func do(t *testing.T, desk *humanlabel.Desk, id, actor string, kind schemas.CommandKind, body any) schemas.Outcome {
	t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	out, err := desk.Do(ctx, schemas.Command{ID: id, Actor: actor, Kind: kind, Body: raw})
	if err != nil {
		t.Errorf("%s %s: %v", kind, id, err)
	}
	return out
}

// openTasks appends the commands that open n tasks, as route does: without a desk.
func openTasks(t *testing.T, client *kafka.Client, n int) {
	t.Helper()
	records := make([]schemas.Record, n)
	for i := range records {
		records[i] = deskRecord(t, fmt.Sprint("create-", i), schemas.CommandCreate, schemas.CreateBody{
			SampleID: schemas.NewSampleID("street", fmt.Sprint(i), schemas.Hash{}), Dataset: "street", Task: "detect", Priority: float64(i % 10), Body: schemas.BlobRef{Key: "bodies/none", Size: 1},
		})
	}
	sink := client.Sink()
	if err := sink.Write(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	if err := sink.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func deskRecord(t *testing.T, id string, kind schemas.CommandKind, body any) schemas.Record {
	t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	rec, err := schemas.Command{ID: id, Actor: "route", At: time.Now().UTC(), Kind: kind, Body: raw}.Record()
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// sameState waits until the desks have folded the log to its end and compares their hashes with a fold of the whole log.
func sameState(t *testing.T, client *kafka.Client, desks ...*humanlabel.Desk) {
	t.Helper()
	var truth humanlabel.Status
	eventually(t, 20*time.Second, "all instances at the end of the log", func() bool {
		state := humanlabel.NewState()
		for _, rec := range all(t, client, schemas.Desk) {
			if _, err := state.Fold(rec.Offset, rec.Value); err != nil {
				t.Fatal(err)
			}
		}
		truth = state.Status()
		for _, d := range desks {
			if d.Status().Offset != truth.Offset {
				return false
			}
		}
		for i, d := range desks {
			if got := d.Status(); got.Offset == truth.Offset && got.Hash != truth.Hash {
				t.Fatalf("instance %d has hash %s at offset %d, the log gives %s", i, got.Hash, got.Offset, truth.Hash)
			}
		}
		return true
	})
}

// cutLog removes the desk's commands before an offset, as a retention set by mistake would. kafka-go cannot.
func cutLog(t *testing.T, broker string, before int64) {
	t.Helper()
	admin, err := kgo.NewClient(kgo.SeedBrokers(broker))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	part := kmsg.NewDeleteRecordsRequestTopicPartition()
	part.Offset = before
	topic := kmsg.NewDeleteRecordsRequestTopic()
	topic.Topic, topic.Partitions = string(schemas.Desk), append(topic.Partitions, part)
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.Topics = append(req.Topics, topic)
	res, err := req.RequestWith(t.Context(), admin)
	if err != nil {
		t.Fatal(err)
	}
	if code := res.Topics[0].Partitions[0].ErrorCode; code != 0 {
		t.Fatalf("delete records: error %d", code)
	}
}
