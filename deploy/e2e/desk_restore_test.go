package e2e

// Snapshots of the desk against its log on the embedded Kafka.

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gleaner/connectors/blob"
	"gleaner/connectors/kafka"
	"gleaner/schemas"
	"gleaner/stages/humanlabel"
)

// deskHistory runs an instance until the log has some hundred commands and stops it.
func deskHistory(t *testing.T, broker string, client *kafka.Client, store blob.Store) humanlabel.Status {
	t.Helper()
	openTasks(t, client, 300)
	desk, stop := runInstance(t, broker, store, quickDesk())
	for i := range 120 {
		do(t, desk, fmt.Sprint("claim-", i), "alice", schemas.CommandClaim, schemas.ClaimBody{Lease: time.Hour})
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	return desk.Status()
}

func snapshotKeys(t *testing.T, store blob.Store) (keys []string) {
	t.Helper()
	for key, err := range store.List(t.Context(), "desk/") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	slices.Sort(keys)
	if len(keys) < 2 {
		t.Fatalf("snapshots %v, want some", keys)
	}
	return keys
}

// A damaged snapshot is passed over for an older one, and no snapshot at all for the log.
func TestDeskDamagedSnapshots(t *testing.T) {
	broker, client := brokerForTest(t)
	store := openBlobs(t, t.TempDir())
	before := deskHistory(t, broker, client, store)
	keys := snapshotKeys(t, store)
	if last := keys[len(keys)-1]; !strings.HasSuffix(last, fmt.Sprintf("%020d.snapshot", before.Offset)) {
		t.Errorf("the last snapshot is %s, the instance ended at %d", last, before.Offset)
	}
	for i := range slices.Backward(keys) {
		data, err := store.Get(t.Context(), keys[i])
		if err != nil {
			t.Fatal(err)
		}
		data[len(data)/2] ^= 1
		if err := store.Put(t.Context(), keys[i], data); err != nil {
			t.Fatal(err)
		}
		desk, stop := runInstance(t, broker, store, quickDesk())
		out := do(t, desk, fmt.Sprint("after-", i), "bob", schemas.CommandClaim, schemas.ClaimBody{})
		if out.Verdict != schemas.Applied {
			t.Errorf("claim: %+v", out)
		}
		sameState(t, client, desk)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	}
}

// A log whose start was cut off is served from a snapshot that covers the loss; without one the desk does not start.
func TestDeskCutLog(t *testing.T) {
	broker, client := brokerForTest(t)
	store := openBlobs(t, t.TempDir())
	before := deskHistory(t, broker, client, store)
	cutLog(t, broker, 200)
	desk, stop := runInstance(t, broker, store, quickDesk())
	do(t, desk, "after", "bob", schemas.CommandClaim, schemas.ClaimBody{})
	if got := desk.Status(); got.Genesis != before.Genesis || got.Offset <= before.Offset {
		t.Errorf("status %+v, before %+v", got, before)
	}
	if got := desk.Counts()[0]; got.Claimed != 121 || got.Open != 179 {
		t.Errorf("counts %+v", got)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	for _, key := range snapshotKeys(t, store) {
		if err := store.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	_, stop = runInstance(t, broker, store, quickDesk())
	time.Sleep(time.Second) // it is to end by itself; stopping it at once would be another reason
	if err := stop(); err == nil || !strings.Contains(err.Error(), "no snapshot covers what was cut off") {
		t.Errorf("a desk without the start of its log ended with %v", err)
	}
}

// A snapshot that another log left behind is refused, although its genesis and its offset fit.
func TestDeskForeignSnapshot(t *testing.T) {
	broker, client := brokerForTest(t)
	store := openBlobs(t, t.TempDir())
	before := deskHistory(t, broker, client, store)

	// The same genesis, but other commands, up to the same offset.
	foreign := humanlabel.NewState()
	for _, rec := range all(t, client, schemas.Desk) {
		value := rec.Value
		if rec.Offset > 0 && rec.Offset%2 == 0 {
			value = []byte("something else")
		}
		if _, err := foreign.Fold(rec.Offset, value); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := foreign.Fold(before.Offset+1, []byte("and more")); err != nil {
		t.Fatal(err)
	}
	rec := deskRecord(t, "one-more", schemas.CommandTick, nil)
	if err := client.Append(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	key := fmt.Sprintf("%s%020d.snapshot", schemas.DeskSnapshotPrefix(before.Genesis), before.Offset+1)
	if err := store.Put(t.Context(), key, foreign.Encode()); err != nil {
		t.Fatal(err)
	}
	desk := startInstance(t, broker, store, quickDesk())
	do(t, desk, "after", "bob", schemas.CommandClaim, schemas.ClaimBody{})
	sameState(t, client, desk)
}
