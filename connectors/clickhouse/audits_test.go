package clickhouse

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"gleaner/schemas"
)

func auditOf(sample int, revision uint64, wrong bool) schemas.Audit {
	at := time.Date(2026, 3, 4, 5, 6, 7, 1000, time.UTC).Add(-time.Duration(sample) * time.Second)
	return schemas.Audit{
		SampleID: sampleID(sample), Dataset: "roads", Revision: revision, Confidence: .75, Probability: .1, Wrong: wrong, Actor: "ana",
		Routed: at, At: at.Add(time.Duration(1000*int(revision)) * time.Second),
	}
}

func putAudits(t *testing.T, db *DB, token string, rows ...schemas.Audit) {
	t.Helper()
	if err := db.PutDraws(t.Context(), token, rows); err != nil {
		t.Fatal(err)
	}
	if err := db.PutAudits(t.Context(), token, rows); err != nil {
		t.Fatal(err)
	}
}

func audits(t *testing.T, db *DB, dataset string) (out []schemas.Audit) {
	t.Helper()
	for a, err := range db.Audits(t.Context(), dataset) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, a)
	}
	return out
}

func auditState(t *testing.T, db *DB) string {
	t.Helper()
	state, err := db.AuditState(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return state["roads"]
}

// TestAudits: audits come back once however often they were put, those of a sample's latest revision, in the order of
// routing, with those that are still to come; the state differs when they do, and an erasure takes them away.
func TestAudits(t *testing.T) {
	db := open(t)
	if s := auditState(t, db); s != "" {
		t.Errorf("the state of no audits is %q", s)
	}
	one, two := auditOf(1, 1, false), auditOf(2, 1, true)
	putAudits(t, db, "a", one, two)
	putAudits(t, db, "a", one, two) // a retry
	putAudits(t, db, "b", one, two) // a redelivery in another batch
	if diff := gocmp.Diff([]schemas.Audit{two, one}, audits(t, db, "roads")); diff != "" {
		t.Fatalf("-want +got\n%s", diff)
	}
	before := auditState(t, db)
	again := auditOf(2, 2, false)
	putAudits(t, db, "c", again)
	putAudits(t, db, "d", two)
	if diff := gocmp.Diff([]schemas.Audit{again, one}, audits(t, db, "roads")); diff != "" {
		t.Fatalf("-want +got\n%s", diff)
	}
	open := schemas.Audit{SampleID: sampleID(3), Dataset: "roads", Confidence: .5, Probability: 1, Routed: one.Routed.Add(time.Hour)}
	state := auditState(t, db)
	if err := db.PutDraws(t.Context(), "", []schemas.Audit{open}); err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff([]schemas.Audit{again, one, open}, audits(t, db, "roads")); diff != "" || auditState(t, db) == state {
		t.Fatalf("with one that is still to come: -want +got\n%s", diff)
	}
	after := auditState(t, db)
	if before == after {
		t.Error("another submission leaves the state as it was")
	}
	if got := audits(t, db, "elsewhere"); got != nil {
		t.Errorf("of another dataset: %v", got)
	}
	if removed, err := db.Erase(t.Context(), sampleID(1)); err != nil || removed["audits"] == 0 || removed["draws"] == 0 {
		t.Fatalf("erasure removed %v, %v", removed, err)
	}
	if diff := gocmp.Diff([]schemas.Audit{again, open}, audits(t, db, "roads")); diff != "" || auditState(t, db) == after {
		t.Errorf("after an erasure: -want +got\n%s", diff)
	}
}

// TestAuditsPageByPage: none is missing or double where pages meet, also among those of one moment.
func TestAuditsPageByPage(t *testing.T) {
	db := open(t)
	var want []schemas.Audit
	for n := range 2*auditsPerPage + 1 {
		a := auditOf(n, 1, false)
		a.Routed = time.Unix(1.7e9+int64(n/7), 0).UTC()
		want = append(want, a)
	}
	putAudits(t, db, "", want...)
	slices.SortFunc(want, func(a, b schemas.Audit) int {
		return cmp.Or(a.Routed.Compare(b.Routed), slices.Compare(a.SampleID[:], b.SampleID[:]))
	})
	if diff := gocmp.Diff(want, audits(t, db, "roads")); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// TestAccepted: what was accepted automatically within a time, and still is.
func TestAccepted(t *testing.T) {
	db := open(t)
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	var labels []schemas.Label
	for n := range 6 {
		l := schemas.Label{SampleID: sampleID(n), Dataset: "roads", UniqueID: fmt.Sprint(n), Rank: schemas.RankAutomatic, Actor: "route", At: at.Add(time.Duration(n) * time.Second)}
		labels = append(labels, l)
	}
	mended := labels[3]
	mended.Rank, mended.Revision = schemas.RankHuman, 2
	if err := db.PutLabels(t.Context(), "", append(labels, mended)); err != nil {
		t.Fatal(err)
	}
	got, err := db.Accepted(t.Context(), "roads", at.Add(time.Second), at.Add(4*time.Second))
	want := []schemas.SampleID{sampleID(1), sampleID(2), sampleID(4)}
	slices.SortFunc(want, func(a, b schemas.SampleID) int { return slices.Compare(a[:], b[:]) })
	if diff := gocmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v; -want +got\n%s", err, diff)
	}
	automatic, people, err := db.LabelCounts(t.Context(), "roads")
	if err != nil || automatic != 5 || people != 1 {
		t.Errorf("%d automatic, %d of people, %v", automatic, people, err)
	}
}
