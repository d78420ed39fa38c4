package clickhouse

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"gleaner/schemas"
)

func foldAll(t *testing.T, db *DB) uint64 {
	t.Helper()
	rows, err := db.FoldLosses(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// A fold that another process's death cut short is made good by the next, whoever runs it: what is to be folded is known to the
// database alone.
func TestFoldAfterDeath(t *testing.T) {
	db := open(t)
	insertStory(t, db, "", func(l *schemas.Losses) {
		story(l, "a", 1, 0, "", 0, "wcwcc")
		story(l, "b", 1, 0, "", 0, "wc")
	})
	// The life of a process that dies after the first of two runs.
	span, err := db.foldSpan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	runs, err := db.unfolded(t.Context(), span.since)
	if err != nil || len(runs) != 2 {
		t.Fatalf("%d runs to fold (%v), want 2", len(runs), err)
	}
	if err := db.foldRun(t.Context(), runs[0], span); err != nil {
		t.Fatal(err)
	}
	insertStory(t, db, "", func(l *schemas.Losses) { story(l, "a", 1, 0, "", 5, "w") })

	again, err := Open(t.Context(), db.cfg, logger(t))
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if rows := foldAll(t, again); rows != 8 {
		t.Errorf("the next fold finds %d rows, want all 8", rows)
	}
	for run, want := range map[string]string{"a": "6,3,2", "b": "2,1,0"} {
		got := ask(t, db, "SELECT presentations, toUInt8(round(correctness * presentations)), forgetting_events FROM scores WHERE run_id = '"+run+"'")
		if got != "("+want+")" {
			t.Errorf("run %s: %s, want %s", run, got, want)
		}
	}
}

// TestFoldsWhatChanged: only blocks with new rows are folded anew, and those that a resumed attempt took rows from.
func TestFoldsWhatChanged(t *testing.T) {
	db := open(t)
	insertStory(t, db, "", func(l *schemas.Losses) {
		for sample := range 3 {
			for epoch := range uint32(70) { // blocks 0, 1 and 2
				story(l, "run", 1, sample, "", epoch, "c")
			}
		}
	})
	settle(t, db)
	versions := func() map[string]string {
		out := map[string]string{}
		for sample := range 3 {
			for block := range 3 {
				out[fmt.Sprint(sample, " ", block)] = ask(t, db, fmt.Sprintf("SELECT version, presentations FROM loss_blocks FINAL WHERE sample_id = %s AND block = %d", idLiteral(sampleID(sample)), block))
			}
		}
		return out
	}
	changed := func(what string, want ...string) {
		t.Helper()
		before := versions()
		time.Sleep(2 * time.Millisecond) // versions differ
		foldAll(t, db)
		after := versions()
		for _, key := range want {
			if before[key] == after[key] {
				t.Errorf("%s: block %s was not folded", what, key)
			}
			delete(before, key)
		}
		for key := range before {
			if before[key] != after[key] {
				t.Errorf("%s: block %s was folded though nothing of it changed", what, key)
			}
		}
		settle(t, db)
	}
	insertStory(t, db, "", func(l *schemas.Losses) { story(l, "run", 1, 1, "", 33, "c") }) // a double
	changed("a late double", "1 1")
	insertStory(t, db, "", func(l *schemas.Losses) { story(l, "run", 2, 2, "", 40, "w") })
	changed("an attempt that resumes at epoch 40", "0 1", "0 2", "1 1", "1 2", "2 1", "2 2")
	if got := ask(t, db, "SELECT presentations, toUInt8(round(correctness * presentations)) FROM scores WHERE run_id = 'run' ORDER BY sample_id = "+idLiteral(sampleID(2))); got != "(40,40)\n(40,40)\n(41,40)" {
		t.Errorf("after the attempt resumed: %s", got)
	}
	insertStory(t, db, "", func(l *schemas.Losses) { story(l, "run", 2, 2, "", 41, "w") })
	changed("the attempt goes on", "2 1")
	insertStory(t, db, "", func(l *schemas.Losses) { story(l, "run", 2, 0, "", 20, "w") })
	changed("a late row of the attempt, from before what was taken for its first", "0 0", "0 1", "0 2", "1 0", "1 1", "1 2", "2 0", "2 1", "2 2")
}

// TestExpiredRowsKeepWhatTheyGave: a block that has lost rows to retention stays as it was folded, whatever comes later, and the attempt
// is known. Without retention, rows that are gone were taken by hand, and a rebuild follows them.
func TestExpiredRowsKeepWhatTheyGave(t *testing.T) {
	db := open(t)
	insertStory(t, db, "", func(l *schemas.Losses) {
		story(l, "run", 1, 0, "", 0, "wcwcwc")
		story(l, "run", 1, 1, "", 0, "wcwcwc")
		story(l, "run", 1, 2, "", 0, "wc")
	})
	if err := db.PutArrivals(t.Context(), "b", []schemas.LossArrival{{RunID: "run", Dataset: "roads", Attempt: 1, Epoch: 5, Rows: 14}}); err != nil {
		t.Fatal(err)
	}
	settle(t, db)
	db.cfg.Losses.KeepDays = 7
	take := func(where string) {
		t.Helper()
		if err := db.exec(t.Context(), "take rows", "ALTER TABLE losses DELETE WHERE "+where+" SETTINGS mutations_sync = 2"); err != nil {
			t.Fatal(err)
		}
	}
	take("epoch < 2 AND sample_id != " + idLiteral(sampleID(1)))
	want := func(when, want string) {
		t.Helper()
		got := ask(t, db, "SELECT presentations, forgetting_events FROM scores ORDER BY sample_id != "+idLiteral(sampleID(0))+", sample_id != "+idLiteral(sampleID(1)))
		if got != want {
			t.Errorf("%s: %s, want %s", when, got, want)
		}
	}
	insertStory(t, db, "", func(l *schemas.Losses) {
		story(l, "run", 1, 0, "", 6, "w")
		story(l, "run", 1, 1, "", 6, "w")
	})
	settle(t, db)
	want("late rows", "(6,2)\n(7,3)\n(2,0)")
	rebuild := func() {
		t.Helper()
		time.Sleep(2 * time.Millisecond) // versions differ
		if err := db.RebuildBlocks(t.Context(), "run"); err != nil {
			t.Fatal(err)
		}
	}
	rebuild()
	want("rebuilt", "(6,2)\n(7,3)\n(2,0)")
	insertStory(t, db, "", func(l *schemas.Losses) { story(l, "run", 2, 1, "", 4, "c") })
	settle(t, db)
	want("an attempt that resumes", "(6,2)\n(5,1)\n(2,0)")
	db.cfg.Losses.KeepDays = 0
	rebuild()
	want("without retention", "(2,0)\n(5,1)")
	take("1")
	if last, err := db.LastAttempt(t.Context(), "run"); err != nil || last != 1 {
		t.Errorf("last attempt %d (%v) of losses that are gone, want the 1 that was noted", last, err)
	}
	for s, err := range db.Scored(t.Context(), "roads", "run") {
		if err != nil || s.Epochs != 6 {
			t.Errorf("%d epochs (%v) of losses that are gone, want the 6 that were noted", s.Epochs, err)
		}
	}
}

// TestFoldsDoNotBringBackTheErased: an erasure waits for folds that may have read the sample's losses.
func TestFoldsDoNotBringBackTheErased(t *testing.T) {
	db := open(t)
	insertStory(t, db, "", func(l *schemas.Losses) { story(l, "run", 1, 0, "", 0, "cc") })
	slow := make(chan error, 1)
	go func() {
		slow <- db.conn.Exec(context.WithoutCancel(t.Context()), foldPrefix+"(run_id, sample_id, presentations) SELECT 'run', sample_id, count() + sleep(2) FROM losses GROUP BY sample_id")
	}()
	eventually(t, db, "SELECT count() FROM system.processes WHERE current_database = currentDatabase() AND startsWith(query, '"+foldPrefix+"')", "(1)")
	if _, err := db.Erase(t.Context(), sampleID(0)); err != nil {
		t.Fatal(err)
	}
	if err := <-slow; err != nil {
		t.Fatal(err)
	}
	if got := ask(t, db, "SELECT count() FROM loss_blocks"); got != "(0)" {
		t.Errorf("%s blocks of an erased sample", got)
	}
}

// eventually waits until a query has the answer.
func eventually(t *testing.T, db *DB, query, want string) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for ask(t, db, query) != want {
		if time.Now().After(deadline) {
			t.Fatalf("%s is not %s", query, want)
		}
	}
}

// settle folds until nothing is new: the rows of the last second are folded twice.
func settle(t *testing.T, db *DB) {
	t.Helper()
	for foldAll(t, db) > 0 {
		time.Sleep(50 * time.Millisecond)
	}
}

// TestInsertsThatGoOnAreFoldedLater: rows that say they arrived before the fold, but could not be read by it.
func TestInsertsThatGoOnAreFoldedLater(t *testing.T) {
	db := open(t)
	insertStory(t, db, "", func(l *schemas.Losses) { story(l, "run", 1, 0, "", 0, "cc") })
	slow := make(chan error, 1)
	go func() {
		slow <- db.conn.Exec(context.WithoutCancel(t.Context()), "INSERT INTO losses (run_id, attempt, sample_id, epoch, correct, arrived)"+
			" SELECT 'run', 1, "+idLiteral(sampleID(0))+", 2, true, now() + toIntervalSecond(sleep(2)) FROM numbers(1)")
	}()
	eventually(t, db, "SELECT count() FROM system.processes WHERE query_kind = 'Insert' AND query LIKE '%sleep(2)%' AND current_database = currentDatabase()", "(1)")
	foldAll(t, db)
	if err := <-slow; err != nil {
		t.Fatal(err)
	}
	foldAll(t, db)
	if got := ask(t, db, "SELECT presentations FROM scores WHERE run_id = 'run'"); got != "(3)" {
		t.Errorf("%s presentations are folded, want 3", got)
	}
}

// Classes come from the labels, or else from the lineage of the rows.
func TestClassesOfBlocks(t *testing.T) {
	db := open(t)
	insertStory(t, db, "", func(l *schemas.Losses) {
		for sample, object := range []string{"o1", "", "o1", "o9"} {
			l.Append(schemas.LossRow{RunID: "run", Attempt: 1, Dataset: "roads", SampleID: sampleID(sample), ObjectID: object, Lineage: "t@1 l@1:x=y"})
		}
	})
	label := func(sample int, objects ...schemas.Object) schemas.Label {
		return schemas.Label{SampleID: sampleID(sample), Dataset: "roads", Objects: objects, Rank: schemas.RankHuman}
	}
	labels := []schemas.Label{
		label(0, schemas.Object{ID: "o1", Class: "cat"}, schemas.Object{ID: "o2", Class: "dog"}),
		label(1, schemas.Object{ID: "o1", Class: "dog"}),
		label(3, schemas.Object{ID: "o1", Class: "dog"}, schemas.Object{ID: "o2", Class: "cat"}),
	}
	if err := db.PutLabels(t.Context(), "", labels); err != nil {
		t.Fatal(err)
	}
	foldAll(t, db)
	for sample, want := range []string{"cat", "dog", "t@1 l@1:x=y", "t@1 l@1:x=y"} {
		if got := ask(t, db, "SELECT class FROM scores WHERE sample_id = "+idLiteral(sampleID(sample))); got != "('"+want+"')" {
			t.Errorf("sample %d is of class %s, want %s", sample, got, want)
		}
	}
}

// TestScoresAreCut: by kind, class and slice, from the largest or the smallest, of one run or over several.
func TestScoresAreCut(t *testing.T) {
	db := open(t)
	var samples []schemas.Sample
	for i := range 4 {
		samples = append(samples, schemas.Sample{ID: sampleID(i), Dataset: "roads", Slices: map[string]string{"light": []string{"day", "night"}[i%2], "place": "it's"}})
	}
	if err := db.PutSamples(t.Context(), "", samples); err != nil {
		t.Fatal(err)
	}
	insertStory(t, db, "", func(l *schemas.Losses) {
		for i, letters := range []string{"cccccc", "cwcwcw", "wwwwww", "wwwccc"} {
			story(l, "one", 1, i, "", 0, letters)
			story(l, "two", 1, i, "", 0, letters[:5]+"c")
		}
	})
	if at, err := db.Folded(t.Context(), "one"); err != nil || !at.IsZero() {
		t.Errorf("folded at %v before it was: %v", at, err)
	}
	foldAll(t, db)
	if at, err := db.Folded(t.Context(), "one"); err != nil || at.IsZero() {
		t.Errorf("folded at %v: %v", at, err)
	}
	for name, c := range map[string]struct {
		q    ScoreQuery
		want []int
	}{
		"all":            {ScoreQuery{By: "forgetting"}, []int{2, 1, 0, 3}},
		"first":          {ScoreQuery{By: "forgetting", Top: 1}, []int{2}},
		"slice":          {ScoreQuery{By: "forgetting", Slice: map[string]string{"light": "night"}}, []int{1, 3}},
		"two slices":     {ScoreQuery{By: "forgetting", Slice: map[string]string{"light": "day", "place": "it's"}}, []int{2, 0}},
		"no such slice":  {ScoreQuery{By: "forgetting", Slice: map[string]string{"light": "dusk"}}, nil},
		"smallest first": {ScoreQuery{By: "first_learned", Ascending: true}, []int{0, 1, 3, 2}},
		"class":          {ScoreQuery{By: "forgetting", Class: "cat"}, nil},
		"kind":           {ScoreQuery{By: "forgetting", Kind: "edge"}, nil},
	} {
		got, err := db.Scores(t.Context(), "one", c.q)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var want, have []string
		for _, i := range c.want {
			want = append(want, sampleID(i).String())
		}
		for _, s := range got {
			have = append(have, s.Sample)
		}
		if len(want) == 4 && c.q.By == "forgetting" { // the last two are alike
			slices.Sort(want[2:])
		}
		if !slices.Equal(have, want) {
			t.Errorf("%s: %v, want %v", name, have, want)
		}
	}
	across, err := db.ScoresAcross(t.Context(), []string{"one", "two"}, ScoreQuery{By: "correctness", Top: 1, Ascending: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(across) != 1 || across[0].Runs != 2 || math.Abs(float64(across[0].Mean)-1./12) > 1e-12 || math.Abs(float64(across[0].Spread)-1./6/math.Sqrt2) > 1e-12 {
		t.Errorf("over two runs: %+v", across)
	}
	if of, err := db.ScoresAcross(t.Context(), []string{"one", "two"}, ScoreQuery{By: "correctness", Class: "cat"}); err != nil || len(of) != 0 {
		t.Errorf("of a class that no object has: %+v, %v", of, err)
	}
	if _, err := db.Scores(t.Context(), "one", ScoreQuery{By: "loss; DROP TABLE losses"}); err == nil {
		t.Error("a column that is none was accepted")
	}
}
