package wire

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"testing"
	"time"

	"gleaner/schemas"
	"gleaner/stages/route"
)

// ledger is a store of audits of the dataset street.
type ledger struct {
	audits   []schemas.Audit
	accepted []schemas.SampleID
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

func (l *ledger) Accepted(context.Context, string, time.Time, time.Time) ([]schemas.SampleID, error) {
	return slices.Clone(l.accepted), nil
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

// TestGuarantorRecalls: audits are read when there are others; after a withdrawal what was accepted is sent back, each image once,
// also what reaches the catalog later, and by the same ids whichever process does it.
func TestGuarantorRecalls(t *testing.T) {
	rules := func(name string) (schemas.DatasetRules, bool) {
		return schemas.DatasetRules{Dataset: name, TargetQuality: .9}, name == "street"
	}
	store := &ledger{}
	var sent []schemas.Selection
	start := func() *guarantor {
		g := newGuarantor(store, rules, func() []string { return []string{"elsewhere", "street"} }, route.Config{}, slog.New(slog.DiscardHandler))
		g.recall = func(_ context.Context, r schemas.Record) error {
			var s schemas.Selection
			if err := json.Unmarshal(r.Value, &s); err != nil {
				return err
			}
			sent = append(sent, s)
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
	began := time.Now().Add(-30 * time.Second)
	store.add(500, false, began)
	refresh(g)
	refresh(g)
	if a, _ := g.book.State("street"); a.State != schemas.AcceptanceOn || store.reads != 1 || len(sent) != 0 {
		t.Fatalf("%+v after %d readings, %d recalls", a, store.reads, len(sent))
	}
	store.add(20, true, began.Add(10*time.Second))
	store.accepted = []schemas.SampleID{{1}, {2}}
	refresh(g)
	if a, _ := g.book.State("street"); a.State != schemas.AcceptanceWithdrawn || len(sent) != 1 || len(sent[0].Picks) != 2 || sent[0].Kind != "doubtful" {
		t.Fatalf("%+v, recalls %+v", a, sent)
	}
	store.accepted = append(store.accepted, schemas.SampleID{3})
	refresh(g)
	refresh(g)
	if len(sent) != 2 || len(sent[1].Picks) != 1 || sent[1].Picks[0].SampleID != (schemas.SampleID{3}) {
		t.Fatalf("recalls %+v", sent)
	}
	refresh(start())
	if len(sent) != 3 || sent[2].ID != sent[0].ID || len(sent[2].Picks) != 3 {
		t.Errorf("after a restart: recalls %+v", sent)
	}
}
