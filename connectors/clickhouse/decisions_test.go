package clickhouse

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gleaner/schemas"
)

// TestDecisionStates: the latest state of each decision and object replaces the others, and erasure removes an object's.
func TestDecisionStates(t *testing.T) {
	db := open(t)
	state := func(sample int, decision string, change ...func(*schemas.DecisionState)) schemas.DecisionState {
		s := schemas.DecisionState{
			Dataset: "roads", Decision: decision, Action: schemas.ActionReview, SampleID: sampleID(sample), ObjectID: "o1", Active: true, Streak: 1, RunID: "r", Seen: 7,
			Others: []schemas.RunSeen{{RunID: "q", Seen: 3}, {RunID: "p", Seen: 9}}, SinceRun: "r", SinceSeen: 5, SinceAt: time.Unix(50, 0).UTC(), Score: 1.5, Weight: 1, Reason: "why", At: time.Unix(100, 0).UTC(),
		}
		for _, f := range change {
			f(&s)
		}
		return s
	}
	class := state(0, "small", func(s *schemas.DecisionState) {
		s.SampleID, s.ObjectID, s.Class, s.Action, s.Top = schemas.SampleID{}, "", "car", schemas.ActionDistill, []string{"a", "b/o1"}
	})
	later := state(1, "x", func(s *schemas.DecisionState) { s.Active, s.Others, s.At = false, nil, time.Unix(200, 0).UTC() })
	elsewhere := state(1, "x", func(s *schemas.DecisionState) { s.Dataset = "fields" })
	for _, list := range [][]schemas.DecisionState{{later, state(2, "x"), elsewhere}, {class, state(1, "x"), state(1, "y")}, nil} {
		if err := db.PutDecisionStates(t.Context(), list); err != nil {
			t.Fatal(err)
		}
	}
	read := func() (out []schemas.DecisionState) {
		for s, err := range db.DecisionStates(t.Context(), "roads") {
			if err != nil {
				t.Fatal(err)
			}
			if s.Top != nil && len(s.Top) == 0 {
				s.Top = nil
			}
			out = append(out, s)
		}
		return out
	}
	objects := []schemas.DecisionState{later, state(1, "y"), state(2, "x")}
	slices.SortStableFunc(objects, func(a, b schemas.DecisionState) int { return slices.Compare(a.SampleID[:], b.SampleID[:]) })
	if d := cmp.Diff(append([]schemas.DecisionState{class}, objects...), read()); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	if got := ask(t, db, "SELECT count(), countIf(active) FROM decision_latest WHERE dataset = 'roads'"); got != "(4,3)" {
		t.Errorf("the view has %s, want (4,3)", got)
	}
	for _, c := range []struct {
		dataset   string
		but, want time.Time
	}{{"roads", time.Time{}, later.At}, {"roads", later.At, class.At}, {"meadows", time.Time{}, time.Time{}}} {
		if at, err := db.LastDecided(t.Context(), c.dataset, c.but); err != nil || !at.Equal(c.want) {
			t.Errorf("last decided about %s but at %s: %s (%v), want %s", c.dataset, c.but, at, err, c.want)
		}
	}
	if removed, err := db.Erase(t.Context(), sampleID(1)); err != nil || removed["decisions"] == 0 {
		t.Errorf("erased %v: %v", removed, err)
	}
	if got := read(); len(got) != 2 {
		t.Errorf("after the erasure: %+v", got)
	}
}

// TestScored: rows come in order, with every column that rules may read and what the catalog knows.
func TestScored(t *testing.T) {
	db := open(t)
	insertStory(t, db, "", func(l *schemas.Losses) {
		story(l, "run", 1, 1, "o1", 0, "wcwc")
		story(l, "run", 1, 1, "", 0, "cccccc")
		story(l, "run", 1, 2, "o1", 0, "ww")
		story(l, "other", 1, 3, "", 0, "c")
	})
	sample := schemas.Sample{ID: sampleID(1), Dataset: "roads", Slices: map[string]string{"weather": "rain"}, Image: schemas.ImageRef{Size: 1234, W: 10, H: 10}, Stage: schemas.StageLinted}
	if err := db.PutSamples(t.Context(), "", []schemas.Sample{sample}); err != nil {
		t.Fatal(err)
	}
	if _, err := db.FoldLosses(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got []schemas.Scored
	for s, err := range db.Scored(t.Context(), "roads", "run") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, s)
	}
	if len(got) != 3 {
		t.Fatalf("%d rows, want 3: %+v", len(got), got)
	}
	columns := schemas.ScoreColumns()
	value := func(s schemas.Scored, name string) float64 {
		return s.Values[slices.IndexFunc(columns, func(c schemas.ScoreColumn) bool { return c.Name == name })]
	}
	slices.SortStableFunc(got, func(a, b schemas.Scored) int { return int(a.Seen) - int(b.Seen) })
	never, twice := got[0], got[1]
	if never.SampleID != sampleID(2) || value(never, "never_learned") != 1 || value(never, "forgetting") != 2 || !math.IsNaN(value(never, "first_learned")) || !math.IsNaN(value(never, "trend_p")) {
		t.Errorf("never learned: %+v", never)
	}
	if twice.ObjectID != "o1" || twice.Seen != 4 || twice.Epochs != 6 || value(twice, "forgetting_events") != 1 || value(twice, "first_learned") != 1 || value(twice, "correctness") != .5 || twice.Slices["weather"] != "rain" || twice.Bytes != 1234 {
		t.Errorf("forgotten: %+v", twice)
	}
}

// TestAttemptsOn: a run's datasets are those of its rows.
func TestAttemptsOn(t *testing.T) {
	db := open(t)
	insertStory(t, db, "", func(l *schemas.Losses) {
		for _, r := range []schemas.LossRow{{RunID: "r", Attempt: 1, Dataset: "roads"}, {RunID: "r", Attempt: 2, Dataset: "roads"}, {RunID: "r", Attempt: 1, Dataset: "fields"}, {RunID: "q", Attempt: 9, Dataset: "sea"}} {
			r.SampleID = sampleID(1)
			l.Append(r)
		}
	})
	got, err := db.AttemptsOn(t.Context(), "r")
	if d := cmp.Diff(map[string]uint32{"roads": 2, "fields": 1}, got); err != nil || d != "" {
		t.Errorf("%v: -want +got\n%s", err, d)
	}
	if got, err := db.AttemptsOn(t.Context(), "none"); err != nil || len(got) != 0 {
		t.Errorf("%v, %v of a run without losses", got, err)
	}
}

// TestQuery: answers come with their types, by parameters, and nothing can be changed.
func TestQuery(t *testing.T) {
	db := open(t)
	var names []string
	var got [][]any
	ask := func(sql string, params map[string]string) error {
		names, got = nil, nil
		return db.Query(t.Context(), sql, params, func(columns []Column) error {
			for _, c := range columns {
				names = append(names, c.Name+" "+c.Type+" "+c.Go.String())
			}
			return nil
		}, func(row []any) error {
			got = append(got, slices.Clone(row))
			return nil
		})
	}
	err := ask("SELECT number AS n, if(number = 1, NULL, {word:String}) AS w, arrayMap(x -> x * 2, range(number)) AS a, toFloat32(number) / 2 AS f FROM numbers({rows:UInt64})", map[string]string{"word": "it's", "rows": "3"})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"n UInt64 uint64", "w Nullable(String) string", "f Float64 float64"}, slices.Delete(names, 2, 3)); d != "" {
		t.Error(d)
	}
	if a, ok := got[2][2].([]uint64); !ok || !slices.Equal(a, []uint64{0, 2}) {
		t.Errorf("got the list %#v", got[2][2])
	}
	if len(got) != 3 || got[1][1] != nil || got[2][1] != "it's" || got[2][0] != uint64(2) {
		t.Errorf("got %v", got)
	}
	for _, sql := range []string{"DROP TABLE losses", "INSERT INTO runs (run_id) VALUES ('x')", "ALTER TABLE losses DELETE WHERE 1", "TRUNCATE TABLE losses", "CREATE TABLE x (a UInt8) ENGINE = Memory"} {
		if err := ask(sql, nil); err == nil || !strings.Contains(strings.ToLower(err.Error()), "readonly") {
			t.Errorf("%s: %v, want it refused", sql, err)
		}
	}
	if err := ask("SELECT nothing", nil); err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("%v, want what is wrong", err)
	}
}
