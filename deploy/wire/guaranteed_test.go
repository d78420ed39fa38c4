package wire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"log/slog"
	"slices"
	"testing"
	"time"

	"gleaner/schemas"
	"gleaner/stages/route"
	"gleaner/stages/route/guarantee"
)

// ledger is a store of audits of the dataset street.
type ledger struct {
	audits   []schemas.Audit
	accepted map[schemas.SampleID]time.Time
	reads    int
}

func (l *ledger) AuditState(context.Context) (map[string]string, error) {
	return map[string]string{"street": fmt.Sprint(len(l.audits))}, nil
}

func (l *ledger) Audits(context.Context, string) iter.Seq2[schemas.Audit, error] {
	l.reads++
	return func(yield func(schemas.Audit, error) bool) {
		for _, a := range l.audits {
			if !yield(a, nil) {
				return
			}
		}
	}
}

func (l *ledger) Accepted(_ context.Context, _ string, from, to time.Time) (ids []schemas.SampleID, _ error) {
	for id, at := range l.accepted {
		if !at.Before(from) && !at.After(to) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b schemas.SampleID) int { return slices.Compare(a[:], b[:]) })
	return ids, nil
}

// shelf is blobs in memory.
type shelf map[string][]byte

func (s shelf) Get(_ context.Context, key string) ([]byte, error) {
	if data, ok := s[key]; ok {
		return data, nil
	}
	return nil, fs.ErrNotExist
}

func (s shelf) PutNew(_ context.Context, key string, data []byte) ([]byte, bool, error) {
	if existing, ok := s[key]; ok {
		return existing, false, nil
	}
	s[key] = data
	return nil, true, nil
}

func (l *ledger) add(n int, wrong bool, at time.Time) {
	for range n {
		k := len(l.audits)
		at = at.Add(time.Millisecond)
		l.audits = append(l.audits, schemas.Audit{
			SampleID: schemas.NewSampleID("street", fmt.Sprint(k), schemas.Hash{}), Dataset: "street", Confidence: float64(k%100) / 100,
			Probability: 1, Wrong: wrong, Routed: at, At: at,
		})
	}
}

// TestConfiguredThreshold: where a target quality is stated, the configured threshold counts if the rules say so, and not else.
func TestConfiguredThreshold(t *testing.T) {
	for _, opted := range []bool{false, true} {
		rules := func(name string) (schemas.DatasetRules, bool) {
			return schemas.DatasetRules{Dataset: name, TargetQuality: .9, AcceptBeforeAudits: opted}, true
		}
		cfg := route.Config{Datasets: map[string]route.Dataset{"street": {AcceptAbove: .5}}}
		g := newGuarantor(&ledger{}, rules, func() []string { return []string{"street"} }, upToNow, cfg, slog.New(slog.DiscardHandler))
		if err := g.refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		accepted := 0
		for i := range 100 {
			if d, _ := g.book.Decide("street", schemas.SampleID{byte(i)}, .9); d.Accept {
				accepted++
			}
		}
		if opted != (accepted > 80) || !opted && accepted > 0 {
			t.Errorf("accept_before_audits %t: %d of 100 images are accepted without an audit", opted, accepted)
		}
	}
}

// TestPause: what takes long is done less often, and often enough for acceptance to go on.
func TestPause(t *testing.T) {
	for took, want := range map[time.Duration]time.Duration{time.Millisecond: guaranteeEvery, 400 * time.Millisecond: 8 * time.Second, time.Minute: guaranteeAnew} {
		if got := pause(took); got != want {
			t.Errorf("after %v a pause of %v, want %v", took, got, want)
		}
	}
}

// TestGuarantorRecalls: audits are read when there are others; a withdrawal that is discovered late recalls what was accepted until
// then, each image once, also what reaches the catalog later, and by the same ids whichever process does it; what is done stays
// done, and no record takes another's place in a compacted topic.
func TestGuarantorRecalls(t *testing.T) {
	rules := func(name string) (schemas.DatasetRules, bool) {
		return schemas.DatasetRules{Dataset: name, TargetQuality: .9}, name == "street"
	}
	store, kept := &ledger{accepted: map[schemas.SampleID]time.Time{}}, shelf{}
	done := map[string]time.Time{} // what steps have done; now if absent
	var down error
	through := func(_ context.Context, step string) (time.Time, error) {
		if at, ok := done[step]; ok {
			return at, down
		}
		return time.Now(), down
	}
	var sent []schemas.Selection
	keys := map[string]bool{}
	start := func() *guarantor {
		g := newGuarantor(store, rules, func() []string { return []string{"elsewhere", "street"} }, through, route.Config{}, slog.New(slog.DiscardHandler))
		g.kept = kept
		g.recall = func(_ context.Context, r schemas.Record) error {
			var s schemas.Selection
			if err := json.Unmarshal(r.Value, &s); err != nil {
				return err
			}
			sent, keys[string(r.Key)] = append(sent, s), true
			return nil
		}
		return g
	}
	g := start()
	refresh := func(g *guarantor) {
		t.Helper()
		if err := g.refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now().Add(-time.Hour)
	store.add(500, false, began)
	refresh(g)
	refresh(g)
	if a, _ := g.book.State("street"); a.State != schemas.AcceptanceOn || store.reads != 1 || len(sent) != 0 {
		t.Fatalf("%+v after %d readings, %d recalls", a, store.reads, len(sent))
	}
	done["audit"] = time.Now().Add(-2 * guarantee.Stale)
	refresh(g)
	if d, _ := g.book.Decide("street", schemas.SampleID{1}, 1); d.Accept || d.Probability != 1 {
		t.Errorf("accepts by audits of which some have not been written for %v: %+v", 2*guarantee.Stale, d)
	}
	delete(done, "audit")
	down = errors.New("the broker is gone")
	if err := g.refresh(t.Context()); !errors.Is(err, down) {
		t.Errorf("what is not known to be fresh is read: %v", err)
	}
	down = nil

	store.add(20, true, began.Add(10*time.Second)) // of an hour ago, and read now
	store.accepted[schemas.SampleID{1}] = began.Add(15 * time.Second)
	store.accepted[schemas.SampleID{2}] = time.Now()
	store.accepted[schemas.SampleID{9}] = began.Add(-time.Minute)
	refresh(g)
	if a, _ := g.book.State("street"); a.State != schemas.AcceptanceWithdrawn || len(sent) != 1 || len(sent[0].Picks) != 2 || sent[0].Kind != "doubtful" {
		t.Fatalf("%+v, recalls %+v", a, sent)
	}
	store.accepted[schemas.SampleID{3}] = time.Now()
	refresh(g)
	refresh(g)
	if len(sent) != 2 || len(sent[1].Picks) != 1 || sent[1].Picks[0].SampleID != (schemas.SampleID{3}) || len(keys) != 2 {
		t.Fatalf("recalls %+v by the keys %v", sent, keys)
	}
	refresh(start())
	if len(sent) != 3 || sent[2].ID != sent[0].ID || len(sent[2].Picks) != 3 {
		t.Errorf("after a restart: recalls %+v", sent)
	}
	done["catalog"] = time.Now().Add(2 * recallFor)
	refresh(g)
	delete(done, "catalog")
	store.accepted[schemas.SampleID{4}] = time.Now()
	refresh(g)
	refresh(start())
	if len(sent) != 3 {
		t.Errorf("what is done is done again: recalls %+v", sent[3:])
	}
}
