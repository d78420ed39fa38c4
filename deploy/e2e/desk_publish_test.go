package e2e

// What people submit comes out of the publisher once, and the same however often and from wherever it is read.

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gleaner/connectors/blob"
	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/humanlabel"
)

func putBody(t *testing.T, store blob.Store, data []byte) schemas.BlobRef {
	t.Helper()
	key := schemas.BodyKey(sha256.Sum256(data))
	if err := store.Put(t.Context(), key, data); err != nil {
		t.Fatal(err)
	}
	return schemas.BlobRef{Key: key, Size: int64(len(data))}
}

// What was settled before the task, and what its labeler settles.
var (
	settledBefore = schemas.Override{Type: schemas.FindingMissing, Reason: "a mirror"}
	settledNow    = schemas.Override{Type: schemas.FindingSpurious, ObjectID: "o1", Reason: "no model sees it"}
)

func putAnnotation(t *testing.T, store blob.Store, objects ...schemas.Object) schemas.BlobRef {
	t.Helper()
	data, err := json.Marshal(schemas.Annotation{Objects: objects, Overrides: []schemas.Override{settledNow}})
	if err != nil {
		t.Fatal(err)
	}
	return putBody(t, store, data)
}

func deskSample(n int) schemas.Sample {
	id := schemas.NewSampleID("street", fmt.Sprint(n), schemas.Hash{})
	return schemas.Sample{
		ID: id, Group: id, Dataset: "street", UniqueID: fmt.Sprint(n), Task: "detect",
		Image:     schemas.ImageRef{SHA256: schemas.Hash{byte(n)}, Size: 10, MediaType: "image/jpeg", W: 64, H: 64},
		Stage:     schemas.StageLinted,
		Objects:   []schemas.Object{{ID: "o1", Class: "car", Box: geometry.Box{X2: 5, Y2: 5}, Score: 0.4, Source: "yolox_nano@1"}},
		Findings:  []schemas.Finding{{Type: schemas.FindingSpurious, ObjectID: "o1", Score: 0.8, Why: "no model sees it"}},
		Overrides: []schemas.Override{settledBefore},
		Stamps:    []schemas.Stamp{{Step: "lint", Version: "v1", At: time.Unix(1.7e9, 0).UTC()}},
	}
}

func TestDeskPublisher(t *testing.T) {
	broker, client := brokerForTest(t)
	store := openBlobs(t, t.TempDir())
	cfg := quickDesk()
	cfg.SnapshotEvery = 7 // so that redelivery has snapshots on both sides
	desk := startInstance(t, broker, store, cfg)

	const tasks = 12
	samples := make([]schemas.Sample, tasks)
	for n := range samples {
		samples[n] = deskSample(n)
		body, err := schemas.EncodeSample(&samples[n])
		if err != nil {
			t.Fatal(err)
		}
		out := do(t, desk, fmt.Sprint("create-", n), "route", schemas.CommandCreate, schemas.CreateBody{
			SampleID: samples[n].ID, Dataset: "street", UniqueID: samples[n].UniqueID, Task: "detect", Body: putBody(t, store, body),
		})
		if out.Verdict != schemas.Applied {
			t.Fatalf("create: %+v", out)
		}
	}
	type expected struct {
		sample  int
		actor   string
		version uint64
	}
	var want []expected
	submit := func(n int, actor string, objects ...schemas.Object) {
		t.Helper()
		round := len(want)
		claim := do(t, desk, fmt.Sprintf("claim-%d-%d", n, round), actor, schemas.CommandClaim, schemas.ClaimBody{TaskID: schemas.TaskID(samples[n].ID, "detect")})
		if claim.Verdict != schemas.Applied {
			t.Fatalf("claim: %+v", claim)
		}
		work := schemas.SubmitBody{TaskID: claim.Task.ID, Version: claim.Task.Version, Annotation: putAnnotation(t, store, objects...)}
		stale := work
		stale.Version--
		if out := do(t, desk, fmt.Sprintf("stale-%d-%d", n, round), actor, schemas.CommandSubmit, stale); out.Verdict != schemas.Stale || out.Kept == nil {
			t.Fatalf("stale submit: %+v", out)
		}
		id := fmt.Sprintf("submit-%d-%d", n, round)
		out := do(t, desk, id, actor, schemas.CommandSubmit, work)
		if out.Verdict != schemas.Applied {
			t.Fatalf("submit: %+v", out)
		}
		if err := client.Append(t.Context(), deskRecord(t, id, schemas.CommandSubmit, work)); err != nil { // the same command a second time
			t.Fatal(err)
		}
		want = append(want, expected{n, actor, out.Task.Version})
	}
	box := geometry.Box{X1: 1, Y1: 2, X2: 30, Y2: 40}
	for n := range tasks {
		actor := "alice"
		if n%3 == 0 {
			actor = "simulated:coco"
		}
		submit(n, actor, schemas.Object{ID: "o1", Class: "dog", Box: box, Score: 0.9, Source: "yolox_nano@1"}, schemas.Object{Class: "cat", Box: box})
	}
	// Sample 0 is reopened and submitted anew.
	task, _ := desk.Task(schemas.TaskID(samples[0].ID, "detect"))
	if out := do(t, desk, "reopen", "route", schemas.CommandCreate, schemas.CreateBody{
		SampleID: samples[0].ID, Dataset: "street", Task: "detect", Body: task.Body, Reopen: true, Revision: task.Version,
	}); out.Verdict != schemas.Applied || out.Task.Round != 2 {
		t.Fatalf("reopen: %+v", out)
	}
	submit(0, "bob")

	log := all(t, client, schemas.Desk)
	publish := func(p *humanlabel.Publisher, records []schemas.Record) (out []schemas.Record) {
		t.Helper()
		for _, rec := range records {
			emits, err := p.Handle(t.Context(), rec)
			if err != nil {
				t.Fatal(err)
			}
			again, err := p.Handle(t.Context(), rec) // a retry, its write having failed
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(emits, again); diff != "" {
				t.Fatalf("offset %d: a retry emits something else:\n%s", rec.Offset, diff)
			}
			for _, e := range emits {
				if e.Topic != schemas.Submitted {
					t.Fatalf("emitted on %s", e.Topic)
				}
				out = append(out, e.Record)
			}
		}
		return out
	}
	reader := clientOf(t, broker)
	newPublisher := func() *humanlabel.Publisher {
		return humanlabel.NewPublisher(reader, store, "v1", slog.New(slog.DiscardHandler))
	}
	published := publish(newPublisher(), log)
	if len(published) != len(want) {
		t.Fatalf("%d samples published, want %d", len(published), len(want))
	}
	for i, rec := range published {
		got, err := schemas.DecodeSample(rec.Value)
		if err != nil {
			t.Fatal(err)
		}
		source, w := "person:"+want[i].actor, want[i]
		if w.actor == "simulated:coco" {
			source = w.actor
		}
		expect := samples[w.sample]
		expect.Stage, expect.Rank, expect.Revision, expect.Actor = schemas.StageSubmitted, schemas.RankHuman, w.version, w.actor
		expect.Objects, expect.Overrides = nil, []schemas.Override{settledNow, settledBefore}
		if i < tasks {
			expect.Objects = []schemas.Object{{ID: "o1", Class: "dog", Box: box, Source: source}, {ID: "o2", Class: "cat", Box: box, Source: source}}
		}
		stamp := got.Stamps[len(got.Stamps)-1]
		if stamp.Step != "desk" || stamp.Version != "v1" || stamp.At.IsZero() || stamp.Millis < 0 {
			t.Errorf("stamp %+v", stamp)
		}
		expect.Stamps = append(expect.Stamps, stamp)
		if diff := cmp.Diff(expect, got); diff != "" {
			t.Errorf("sample %d:\n%s", w.sample, diff)
		}
		if string(rec.Key) != got.ID.String() {
			t.Errorf("key %q", rec.Key)
		}
	}
	if first, last := want[0], want[len(want)-1]; last.sample != first.sample || last.version <= first.version {
		t.Errorf("the second round has version %d, the first %d", last.version, first.version)
	}

	// A publisher that starts anywhere, or is thrown back, emits what the first one did, byte for byte.
	for from := 0; from < len(log); from += 23 {
		p := newPublisher()
		tail := publish(p, log[from:])
		if diff := cmp.Diff(published[len(published)-len(tail):], tail, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("from offset %d:\n%s", from, diff)
		}
		if back := publish(p, log[from/2:]); len(back) < len(tail) {
			t.Fatalf("thrown back from %d to %d: %d samples, before %d", from, from/2, len(back), len(tail))
		} else if diff := cmp.Diff(published[len(published)-len(back):], back, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("thrown back from %d to %d:\n%s", from, from/2, diff)
		}
	}

	// An erased sample is not published any more; one whose annotation is gone is a fault, by itself.
	if err := store.Put(t.Context(), schemas.TombstoneKey(samples[1].ID), []byte("{}")); err != nil {
		t.Fatal(err)
	}
	if got := publish(newPublisher(), log); len(got) != len(want)-1 {
		t.Errorf("%d samples published after an erasure, want %d", len(got), len(want)-1)
	}
	gone, ok := desk.Task(schemas.TaskID(samples[0].ID, "detect"))
	if !ok || gone.Result == nil {
		t.Fatalf("task %+v", gone)
	}
	if err := store.Delete(t.Context(), gone.Result.Key); err != nil {
		t.Fatal(err)
	}
	p, faults, rest := newPublisher(), 0, 0
	for _, rec := range log {
		emits, err := p.Handle(t.Context(), rec)
		if _, fault := schemas.AsFault(err); fault {
			faults++
		} else if err != nil {
			t.Fatal(err)
		}
		rest += len(emits)
	}
	if faults != 1 || rest != len(want)-2 {
		t.Errorf("%d faults and %d samples, want 1 and %d", faults, rest, len(want)-2)
	}
}
