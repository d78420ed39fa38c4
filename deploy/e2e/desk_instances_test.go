package e2e

// Several desks over one log on the embedded Kafka.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gleaner/schemas"
	"gleaner/stages/humanlabel"
)

// Two instances start on an empty log at once, twenty people claim from both: each task goes to one of them, once.
func TestDeskClaimsOnce(t *testing.T) {
	const tasks, people = 200, 20
	broker, client := brokerForTest(t)
	openTasks(t, client, tasks)
	store := openBlobs(t, t.TempDir())
	desks := []*humanlabel.Desk{startInstance(t, broker, store, quickDesk()), startInstance(t, broker, store, quickDesk())}

	var mu sync.Mutex
	claimed := map[string]string{}
	var group sync.WaitGroup
	for p := range people {
		group.Go(func() {
			actor := fmt.Sprint("person-", p)
			for i := 0; ; i++ {
				id := fmt.Sprintf("%s-%d", actor, i)
				out := do(t, desks[p%2], id, actor, schemas.CommandClaim, schemas.ClaimBody{Lease: time.Hour})
				if out.Verdict != schemas.Applied {
					if out.Verdict != schemas.Empty {
						t.Errorf("claim: %+v", out)
					}
					return
				}
				// The other instance answers a retry of the same command as the first one did.
				again := do(t, desks[(p+1)%2], id, actor, schemas.CommandClaim, schemas.ClaimBody{Lease: time.Hour})
				if again.Verdict != schemas.Applied || again.Task == nil || again.Task.ID != out.Task.ID {
					t.Errorf("a retry claimed something else: %+v, first %+v", again, out)
				}
				mu.Lock()
				if other, taken := claimed[out.Task.ID]; taken {
					t.Errorf("task %s went to %s and to %s", out.Task.ID, other, actor)
				}
				claimed[out.Task.ID] = actor
				mu.Unlock()
			}
		})
	}
	group.Wait()
	if len(claimed) != tasks {
		t.Errorf("%d tasks were claimed, want %d", len(claimed), tasks)
	}
	sameState(t, client, desks...)
	for _, d := range desks {
		if got := d.Counts(); len(got) != 1 || got[0] != (schemas.QueueCount{Queue: "street", Claimed: tasks}) {
			t.Errorf("counts %+v", got)
		}
		for id, actor := range claimed {
			if task, ok := d.Task(id); !ok || task.Holder != actor {
				t.Errorf("task %s is held by %q, want %q", id, task.Holder, actor)
			}
		}
	}
	if a, b := desks[0].Status(), desks[1].Status(); a.Genesis == "" || a.Genesis != b.Genesis {
		t.Errorf("genesis %q and %q", a.Genesis, b.Genesis)
	}
}

// An instance is killed with -9 in the middle of its work, twice: what it had answered is in effect for the next one.
func TestDeskKilled(t *testing.T) {
	broker, client := brokerForTest(t)
	openTasks(t, client, 300)
	blobs := t.TempDir()
	job := deskChildJob{Broker: broker, Blobs: blobs}
	done := append(job.runChild(t, 120), job.runChild(t, 120)...)

	desk := startInstance(t, broker, openBlobs(t, blobs), quickDesk())
	out := do(t, desk, "after", "bob", schemas.CommandClaim, schemas.ClaimBody{})
	if out.Verdict != schemas.Applied {
		t.Fatalf("claim: %+v", out)
	}
	for _, id := range done {
		if out, ok := desk.Outcome(id); !ok || out.Verdict != schemas.Applied {
			t.Errorf("command %s was answered and is not in effect: %+v", id, out)
		}
	}
	sameState(t, client, desk)
}

// A claim that its holder leaves ends by itself, although nobody sends anything.
func TestDeskLeaseEnds(t *testing.T) {
	broker, client := brokerForTest(t)
	openTasks(t, client, 1)
	desk := startInstance(t, broker, openBlobs(t, t.TempDir()), quickDesk())
	out := do(t, desk, "one", "alice", schemas.CommandClaim, schemas.ClaimBody{Lease: time.Second})
	if out.Verdict != schemas.Applied {
		t.Fatalf("claim: %+v", out)
	}
	eventually(t, 20*time.Second, "the task open again", func() bool {
		task, _ := desk.Task(out.Task.ID)
		return task.State == schemas.TaskOpen && task.Holder == ""
	})
}

// A write whose answer is not awaited is unknown, and the same id sent again tells.
func TestDeskUnknownOutcome(t *testing.T) {
	broker, client := brokerForTest(t)
	openTasks(t, client, 3)
	desk := startInstance(t, broker, openBlobs(t, t.TempDir()), quickDesk())
	do(t, desk, "first", "alice", schemas.CommandClaim, schemas.ClaimBody{})
	unknown := 0
	for i := range 50 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*200*time.Microsecond)
		_, err := desk.Do(ctx, schemas.Command{ID: fmt.Sprint("hasty-", i), Actor: "bob", Kind: schemas.CommandClaim, Body: []byte(`{}`)})
		cancel()
		if err == nil {
			continue
		}
		if !errors.Is(err, schemas.ErrOutcomeUnknown) && !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("error %v", err)
		}
		unknown++
		if out := do(t, desk, fmt.Sprint("hasty-", i), "bob", schemas.CommandClaim, schemas.ClaimBody{}); out.Verdict != schemas.Applied && out.Verdict != schemas.Empty {
			t.Fatalf("retried: %+v", out)
		}
	}
	if unknown == 0 {
		t.Error("no command was cut off: the test shows nothing")
	}
	sameState(t, client, desk)
	if got := desk.Counts()[0]; got.Claimed != 3 || got.Open != 0 {
		t.Errorf("counts %+v: commands were lost or doubled", got)
	}
}

// An instance whose clock is behind the log's proposes nothing: here the log's clock is made to run ahead.
func TestDeskSkewed(t *testing.T) {
	broker, client := brokerForTest(t)
	desk := startInstance(t, broker, openBlobs(t, t.TempDir()), quickDesk())
	do(t, desk, "before", "alice", schemas.CommandClaim, schemas.ClaimBody{})
	rec, err := schemas.Command{ID: "ahead", Actor: "desk:other", At: time.Now().Add(time.Minute), Kind: schemas.CommandTick}.Record()
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Append(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, "the tick folded", func() bool { return desk.Status().Now.After(time.Now().Add(30 * time.Second)) })
	end := written(t, client, schemas.Desk)
	_, err = desk.Do(t.Context(), schemas.Command{ID: "after", Actor: "alice", Kind: schemas.CommandClaim, Body: []byte(`{}`)})
	if err == nil || errors.Is(err, schemas.ErrOutcomeUnknown) || written(t, client, schemas.Desk) != end {
		t.Errorf("a desk with a slow clock went on: %v", err)
	}
}

// Instances compare their states by what their ticks say; one that differs is found out.
func TestDeskInstancesDisagree(t *testing.T) {
	broker, client := brokerForTest(t)
	store := openBlobs(t, t.TempDir())
	cfg := quickDesk()
	cfg.HashEvery, cfg.IdleTickEvery = 10, 100*time.Millisecond
	one, stop := runInstance(t, broker, store, cfg)
	other, stopOther := runInstance(t, broker, store, cfg)
	for i := range 15 {
		do(t, other, fmt.Sprint("claim-", i), "alice", schemas.CommandClaim, schemas.ClaimBody{})
	}
	end := written(t, client, schemas.Desk)
	eventually(t, 20*time.Second, "ticks of both folded by both", func() bool {
		return one.Status().Offset > end+5 && other.Status().Offset > end+5
	})
	if err := errors.Join(stop(), stopOther()); err != nil {
		t.Fatalf("equal instances disagree: %v", err)
	}

	// A third one hears of a hash that is not its own: all offsets of its last one are covered, whichever it is by then.
	third, stop := runInstance(t, broker, store, cfg)
	eventually(t, 20*time.Second, "the third instance to stop", func() bool {
		status := third.Status()
		if status.Genesis != "" {
			tick := schemas.Command{ID: fmt.Sprint("forged-", status.Offset), Actor: "desk:forged", At: time.Now(), Genesis: status.Genesis, Kind: schemas.CommandTick}
			tick.Body, _ = json.Marshal(schemas.TickBody{Offset: status.Offset / 10 * 10})
			rec, err := tick.Record()
			if err != nil {
				t.Fatal(err)
			}
			if err := client.Append(t.Context(), rec); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := third.Do(ctx, schemas.Command{Actor: "alice", Kind: schemas.CommandClaim, Body: []byte(`{}`)})
		return err != nil && !errors.Is(err, schemas.ErrOutcomeUnknown)
	})
	if err := stop(); err == nil || !strings.Contains(err.Error(), "instances disagree") {
		t.Errorf("the third instance ended with %v", err)
	}
}

// A log of a later fold version stops every instance, those that run and those that start.
func TestDeskUnknownFold(t *testing.T) {
	broker, client := brokerForTest(t)
	store := openBlobs(t, t.TempDir())
	desk, stop := runInstance(t, broker, store, quickDesk())
	do(t, desk, "before", "alice", schemas.CommandClaim, schemas.ClaimBody{})
	if err := client.Append(t.Context(), deskRecord(t, "up", schemas.CommandUpgrade, schemas.UpgradeBody{Fold: 2})); err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, "no more answers", func() bool {
		_, err := desk.Do(t.Context(), schemas.Command{Actor: "alice", Kind: schemas.CommandClaim, Body: []byte(`{}`)})
		return err != nil
	})
	if err := stop(); !errors.Is(err, humanlabel.ErrFoldVersion) {
		t.Errorf("the running instance ended with %v", err)
	}
	other, stop := runInstance(t, broker, store, quickDesk())
	if _, err := other.Do(t.Context(), schemas.Command{Actor: "alice", Kind: schemas.CommandClaim, Body: []byte(`{}`)}); err == nil {
		t.Error("an instance serves a log that it does not know")
	}
	if err := stop(); !errors.Is(err, humanlabel.ErrFoldVersion) {
		t.Errorf("the new instance ended with %v", err)
	}
}

// How long a command takes through the log and back. Nothing is asserted: the figures are for people.
func TestDeskLatency(t *testing.T) {
	broker, client := brokerForTest(t)
	openTasks(t, client, 1300)
	store := openBlobs(t, t.TempDir())
	cfg := humanlabel.DefaultConfig()
	desk := startInstance(t, broker, store, cfg)
	do(t, desk, "warm", "alice", schemas.CommandClaim, schemas.ClaimBody{})
	for _, rate := range []int{200, 1000} {
		took := make([]time.Duration, rate) // one second of it
		var group sync.WaitGroup
		start := time.Now()
		for i := range took {
			time.Sleep(time.Until(start.Add(time.Duration(i) * time.Second / time.Duration(rate))))
			group.Go(func() {
				began := time.Now()
				out := do(t, desk, fmt.Sprintf("%d-%d", rate, i), "alice", schemas.CommandClaim, schemas.ClaimBody{})
				if took[i] = time.Since(began); out.Verdict != schemas.Applied {
					t.Errorf("claim: %+v", out)
				}
			})
		}
		group.Wait()
		slices.Sort(took)
		t.Logf("%d commands/s: p50 %v, p99 %v, max %v", rate, took[len(took)/2], took[len(took)*99/100], took[len(took)-1])
	}
}
