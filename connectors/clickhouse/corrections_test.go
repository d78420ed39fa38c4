package clickhouse

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

func correction(sample int, revision uint64, proposal, object string) schemas.Correction {
	c := schemas.Correction{
		SampleID: sampleID(sample), Dataset: "roads", Revision: revision, ProposalID: proposal, ObjectID: object,
		Models: []string{"fast@1", "yolox_nano@1"}, Class: "animal", Canonical: "animal", W: 640, H: 480, Slices: map[string]string{"weather": "rain"}, Actor: "ana",
		At: time.Date(2026, 3, 4, 5, 6, int(revision), 1000, time.UTC),
	}
	if proposal != "" {
		c.Source, c.Score, c.Proposal = "yolox_nano@1", 0.25, geometry.Box{X1: 1, Y1: 2, X2: 30.5, Y2: 40}
	}
	if object != "" {
		c.Labeled, c.Label = "raccoon", geometry.Box{X1: 3, Y1: 4, X2: 31, Y2: 41}
	}
	c.Accepted = proposal != "" && object != ""
	return c
}

func putCorrections(t *testing.T, db *DB, token string, rows ...schemas.Correction) {
	t.Helper()
	if err := db.PutCorrections(t.Context(), token, rows); err != nil {
		t.Fatal(err)
	}
}

func corrections(t *testing.T, db *DB, dataset string, within time.Duration) (out []schemas.Correction) {
	t.Helper()
	for c, err := range db.Corrections(t.Context(), dataset, within, 1<<20, nil) {
		if err != nil {
			t.Fatal(err)
		}
		if len(out) > 0 && out[len(out)-1].SampleID.String() > c.SampleID.String() {
			t.Fatal("corrections are not in the order of sample ids")
		}
		out = append(out, c)
	}
	return out
}

// sorted is rows in the order in which Corrections yields them.
func sorted(rows ...schemas.Correction) []schemas.Correction {
	slices.SortFunc(rows, func(a, b schemas.Correction) int {
		return cmp.Or(strings.Compare(a.SampleID.String(), b.SampleID.String()), cmp.Compare(a.ProposalID, b.ProposalID), cmp.Compare(a.ObjectID, b.ObjectID))
	})
	return rows
}

// TestCorrections: rows come back as they were put, once however often they were, and a submission replaces all that an earlier
// one of its sample said, whichever arrives first.
func TestCorrections(t *testing.T) {
	db := open(t)
	first := []schemas.Correction{correction(1, 1, "p1", "o1"), correction(1, 1, "p2", ""), correction(1, 1, "", "o9")}
	second := []schemas.Correction{correction(1, 2, "p1", ""), correction(1, 2, "p2", "o2")}
	other := correction(2, 1, "p1", "o1")
	putCorrections(t, db, "a", append(first, other)...)
	putCorrections(t, db, "a", append(first, other)...) // a retry
	putCorrections(t, db, "b", append(first, other)...) // a redelivery in another batch
	if diff := gocmp.Diff(sorted(append(first, other)...), corrections(t, db, "roads", 0)); diff != "" {
		t.Fatalf("-want +got\n%s", diff)
	}
	putCorrections(t, db, "c", second...)
	putCorrections(t, db, "d", first...)
	want := sorted(append(second, other)...)
	for _, dataset := range []string{"roads", ""} {
		if diff := gocmp.Diff(want, corrections(t, db, dataset, 0)); diff != "" {
			t.Fatalf("dataset %q: -want +got\n%s", dataset, diff)
		}
	}
	if got := corrections(t, db, "elsewhere", 0); got != nil {
		t.Errorf("of another dataset: %v", got)
	}
	if got, want := ask(t, db, "SELECT outcome, count() FROM correction_latest GROUP BY outcome ORDER BY outcome"), "('accepted',2)\n('rejected',1)"; got != want {
		t.Errorf("correction_latest says %s, want %s", got, want)
	}
	asked := map[schemas.SampleID]uint64{}
	var unread []schemas.Correction
	for c, err := range db.Corrections(t.Context(), "roads", 0, 9, func(id schemas.SampleID, revision uint64) bool { asked[id] = revision; return id == other.SampleID }) {
		if err != nil {
			t.Fatal(err)
		}
		unread = append(unread, c)
	}
	if diff := gocmp.Diff(sorted(second...), unread); diff != "" || len(asked) != 2 || asked[sampleID(1)] != 2 || asked[sampleID(2)] != 1 {
		t.Errorf("asked whether %v are at hand: -want +got\n%s", asked, diff)
	}
	nothing := correction(2, 2, "", "")
	putCorrections(t, db, "e", nothing)
	if diff := gocmp.Diff(sorted(append(second, nothing)...), corrections(t, db, "roads", 0)); diff != "" {
		t.Errorf("after a submission that left nothing: -want +got\n%s", diff)
	}
	if got, want := ask(t, db, "SELECT outcome, count() FROM correction_latest GROUP BY outcome ORDER BY outcome"), "('accepted',1)\n('rejected',1)"; got != want {
		t.Errorf("correction_latest says %s, want %s", got, want)
	}
	if removed, err := db.Erase(t.Context(), sampleID(1)); err != nil || removed["corrections"] == 0 {
		t.Fatalf("erasure removed %v, %v", removed, err)
	}
	if diff := gocmp.Diff([]schemas.Correction{nothing}, corrections(t, db, "roads", 0)); diff != "" {
		t.Errorf("after an erasure: -want +got\n%s", diff)
	}
}

// TestCorrectionsWithin: who asks for a span of time gets all that stands of the samples that were written about in it.
func TestCorrectionsWithin(t *testing.T) {
	db := open(t)
	var old []schemas.Correction
	const samples, each = 2*submissionsPerPage + 500, 6 // more than a page by the number of samples, and by that of corrections
	for n := range samples {
		for p := range each {
			old = append(old, correction(n, 1, fmt.Sprint("p", p), "o1"))
		}
	}
	putCorrections(t, db, "", old...)
	if got := len(corrections(t, db, "", 0)); got != len(old) {
		t.Fatalf("%d corrections, want %d", got, len(old))
	}
	if err := db.exec(t.Context(), "age", "ALTER TABLE corrections UPDATE written = written - INTERVAL 1 HOUR WHERE true SETTINGS mutations_sync = 2"); err != nil {
		t.Fatal(err)
	}
	if got := corrections(t, db, "", time.Minute); got != nil {
		t.Errorf("%d corrections of the last minute, want none", len(got))
	}
	fresh := []schemas.Correction{correction(7, 2, "p1", ""), correction(7, 2, "p2", "o1"), correction(samples, 1, "p1", "")}
	putCorrections(t, db, "", fresh...)
	for _, dataset := range []string{"", "roads"} {
		if diff := gocmp.Diff(sorted(fresh...), corrections(t, db, dataset, time.Millisecond)); diff != "" {
			t.Errorf("dataset %q: -want +got\n%s", dataset, diff)
		}
	}
	if got := len(corrections(t, db, "", 2*time.Hour)); got != len(old)-each+3 {
		t.Errorf("%d corrections of two hours, want %d", got, len(old)-each+3)
	}
}

// TestCorrectionsNewest: of each dataset those of the samples come whose latest submission is the newest, whenever they were
// first submitted; an erased one makes room for the next.
func TestCorrectionsNewest(t *testing.T) {
	db := open(t)
	at := func(c schemas.Correction, second int) schemas.Correction {
		c.At = time.Date(2026, 3, 4, 5, 6, second, 0, time.UTC)
		return c
	}
	var rows []schemas.Correction
	for n := range 50 {
		rows = append(rows, at(correction(n, 1, "p1", "o1"), n), at(correction(n, 1, "p2", ""), n))
	}
	elsewhere := at(correction(99, 1, "p1", "o1"), 0)
	elsewhere.Dataset = "rails"
	again := at(correction(3, 2, "p1", ""), 55) // once of the oldest
	putCorrections(t, db, "a", append(rows, elsewhere)...)
	putCorrections(t, db, "b", again)
	want := sorted(append(slices.Clone(rows[2*42:]), again, elsewhere)...)
	newest := func(dataset string, within time.Duration) (out []schemas.Correction) {
		t.Helper()
		for c, err := range db.Corrections(t.Context(), dataset, within, 9, nil) {
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, c)
		}
		return out
	}
	for _, within := range []time.Duration{0, time.Hour} {
		if diff := gocmp.Diff(want, newest("", within)); diff != "" {
			t.Errorf("within %s: -want +got\n%s", within, diff)
		}
	}
	if diff := gocmp.Diff([]schemas.Correction{elsewhere}, newest("rails", 0)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	for _, gone := range []int{49, 3} {
		if _, err := db.Erase(t.Context(), sampleID(gone)); err != nil {
			t.Fatal(err)
		}
	}
	if diff := gocmp.Diff(sorted(slices.Clone(rows[2*40:2*49])...), newest("roads", 0)); diff != "" {
		t.Errorf("after erasures: -want +got\n%s", diff)
	}
}
