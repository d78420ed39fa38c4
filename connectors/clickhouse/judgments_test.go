package clickhouse

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

// Judgments are counted by dataset, type and score, doubles once, those of every revision, and not those of what was erased.
func TestJudgments(t *testing.T) {
	db := open(t)
	judged := func(sample int, revision uint64, finding int, kind schemas.FindingType, score float32, outcome schemas.Judged) schemas.Judgment {
		return schemas.Judgment{
			SampleID: sampleID(sample), Dataset: "roads", Revision: revision, Index: finding, Type: kind, ObjectID: "o1", Class: "car",
			Box: geometry.Box{X1: 1, Y1: 2, X2: 30.5, Y2: 40}, Score: 0.3, Prior: score, Outcome: outcome, Reason: "it's \"right\"", Actor: "ana", At: time.Date(2026, 3, 4, 5, 6, 7, 1000, time.UTC),
		}
	}
	rows := []schemas.Judgment{
		judged(1, 4, 0, schemas.FindingMissing, 0.811, schemas.JudgedFixed),
		judged(1, 4, 1, schemas.FindingMissing, 0.819, schemas.JudgedKept),
		judged(1, 9, 0, schemas.FindingMissing, 0.815, schemas.JudgedPassed),
		judged(2, 4, 0, schemas.FindingSpurious, 1, schemas.JudgedFixed),
	}
	other := judged(3, 1, 0, schemas.FindingMissing, 0, schemas.JudgedFixed)
	other.Dataset = "zoo"
	for _, token := range []string{"a", "b"} {
		if err := db.PutJudgments(t.Context(), token, append(rows, other)); err != nil {
			t.Fatal(err)
		}
	}
	want := []schemas.JudgmentCount{
		{Dataset: "roads", Type: schemas.FindingMissing, Prior: 0.815, Fixed: 1, Kept: 1, Passed: 1},
		{Dataset: "roads", Type: schemas.FindingSpurious, Prior: 1, Fixed: 1},
		{Dataset: "zoo", Type: schemas.FindingMissing, Fixed: 1},
	}
	counts := func() []schemas.JudgmentCount {
		t.Helper()
		got, err := db.JudgmentCounts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for i := range got {
			got[i].Prior = float64(int(1000*got[i].Prior+0.5)) / 1000
		}
		return got
	}
	if d := cmp.Diff(want, counts()); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	if n, err := db.Judgments(t.Context()); err != nil || n < 5 {
		t.Errorf("%d rows, %v", n, err)
	}
	removed, err := db.Erase(t.Context(), sampleID(1))
	if err != nil || removed["judgments"] != 3 && removed["judgments"] != 6 {
		t.Errorf("removed %v, %v", removed, err)
	}
	if d := cmp.Diff(want[1:], counts()); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}
