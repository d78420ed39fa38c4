package clickhouse

import (
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gleaner/schemas"
)

// story is what one object showed: a letter an epoch, c for correct and w for wrong, from epoch first on.
func story(l *schemas.Losses, run string, attempt uint32, sample int, object string, first uint32, letters string) {
	for i, letter := range letters {
		epoch := first + uint32(i)
		l.Append(schemas.LossRow{
			RunID: run, Attempt: attempt, Model: "probe@1", Dataset: "roads", SampleID: sampleID(sample), ObjectID: object,
			Epoch: epoch, Step: uint64(epoch) * 100, Loss: float32(epoch), Correct: letter == 'c',
			Margin: float32(attempt), PTrue: 0.5, EL2N: 1,
		})
	}
}

func insertStory(t *testing.T, db *DB, token string, fill func(*schemas.Losses)) {
	t.Helper()
	var l schemas.Losses
	fill(&l)
	if err := db.InsertLosses(t.Context(), token, &l); err != nil {
		t.Fatal(err)
	}
}

func curves(t *testing.T, db *DB, run string) map[string]schemas.Curve {
	t.Helper()
	got := map[string]schemas.Curve{}
	last := ""
	for c, err := range db.Curves(t.Context(), run) {
		if err != nil {
			t.Fatal(err)
		}
		key := c.SampleID.String() + c.ObjectID
		if key <= last {
			t.Fatalf("curve %s comes after %s", key, last)
		}
		last = key
		got[key] = c
	}
	return got
}

func key(sample int, object string) string { return sampleID(sample).String() + object }

// TestForgetting checks the view against stories counted by hand, with the definitions of Toneva et al. 2019.
func TestForgetting(t *testing.T) {
	db := open(t)
	stories := []struct {
		letters                  string
		events, forgetting       int
		first                    string
		unforgettable, isLearned bool
	}{
		{"ccccc", 0, 0, "0", true, true},
		{"wcccc", 0, 0, "1", true, true},
		{"wwcwc", 1, 1, "2", false, true},
		{"cwcwc", 2, 2, "0", false, true},
		{"ccccw", 1, 1, "0", false, true},
		{"wwwww", 0, 5, "NULL", false, false},
		{"c", 0, 0, "0", true, true},
		{"w", 0, 1, "NULL", false, false},
	}
	insertStory(t, db, "", func(l *schemas.Losses) {
		for i, s := range stories {
			story(l, "run", 1, i, "o1", 0, s.letters)
		}
	})
	// Doubled by another writer, in another order and cut, so that no deduplication can see it.
	for i := len(stories) - 1; i >= 0; i-- {
		insertStory(t, db, "", func(l *schemas.Losses) { story(l, "run", 1, i, "o1", 0, stories[i].letters) })
	}
	foldAll(t, db)
	for i, s := range stories {
		want := fmt.Sprintf("(%d,%t,%s,%d,%d,%t)", len(s.letters), s.isLearned, s.first, s.events, s.forgetting, s.unforgettable)
		got := ask(t, db, fmt.Sprintf("SELECT presentations, learned, first_learned, events, forgetting, unforgettable FROM forgetting WHERE run_id = 'run' AND sample = '%s'", sampleID(i)))
		if got != want {
			t.Errorf("%s: %s, want %s", s.letters, got, want)
		}
	}
}

// TestResumedAttempts: an attempt that resumes supersedes what earlier ones presented from that moment on, also where it stops
// earlier than they had come; what was before the moment stands.
func TestResumedAttempts(t *testing.T) {
	tests := map[string]struct {
		attempts []func(*schemas.Losses)
		want     string // correct or wrong in epoch order
		margins  []float32
	}{
		"more epochs": {
			[]func(*schemas.Losses){
				func(l *schemas.Losses) { story(l, "run", 1, 0, "", 0, "wcwc") },
				func(l *schemas.Losses) { story(l, "run", 2, 0, "", 2, "cccw") },
			},
			"wccccw",
			[]float32{1, 1, 2, 2, 2, 2},
		},
		"fewer epochs": {
			[]func(*schemas.Losses){
				func(l *schemas.Losses) { story(l, "run", 1, 0, "", 0, "wcwcwc") },
				func(l *schemas.Losses) { story(l, "run", 2, 0, "", 2, "cc") },
			},
			"wccc",
			[]float32{1, 1, 2, 2},
		},
		"three attempts, the last from the beginning": {
			[]func(*schemas.Losses){
				func(l *schemas.Losses) { story(l, "run", 1, 0, "", 0, "wcwcwc") },
				func(l *schemas.Losses) { story(l, "run", 2, 0, "", 2, "cc") },
				func(l *schemas.Losses) { story(l, "run", 3, 0, "", 0, "c") },
			},
			"c",
			[]float32{3},
		},
		"late rows of an old attempt": {
			[]func(*schemas.Losses){
				func(l *schemas.Losses) { story(l, "run", 2, 0, "", 1, "cc") },
				func(l *schemas.Losses) { story(l, "run", 1, 0, "", 0, "www") },
			},
			"wcc",
			[]float32{1, 2, 2},
		},
		"the attempt did not come to this sample": {
			[]func(*schemas.Losses){
				func(l *schemas.Losses) { story(l, "run", 1, 0, "", 0, "wcc") },
				func(l *schemas.Losses) { story(l, "run", 2, 1, "", 2, "c") },
			},
			"wc",
			[]float32{1, 1},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			db := open(t)
			for range 2 { // every batch comes twice
				for _, fill := range test.attempts {
					insertStory(t, db, "", fill)
				}
			}
			c := curves(t, db, "run")[key(0, "")]
			letters := ""
			for _, correct := range c.Correct {
				letters += map[bool]string{true: "c", false: "w"}[correct]
			}
			if letters != test.want || !cmp.Equal(c.Margin, test.margins) {
				t.Errorf("curve %s with margins %v, want %s with %v", letters, c.Margin, test.want, test.margins)
			}
			got := ask(t, db, "SELECT arrayStringConcat(groupArray(if(correct, 'c', 'w'))) FROM (SELECT correct FROM loss_latest WHERE sample = '"+sampleID(0).String()+"' ORDER BY epoch)")
			if want := "('" + test.want + "')"; got != want {
				t.Errorf("loss_latest %s, want %s", got, want)
			}
		})
	}
}

// TestResumeWithinAnEpoch: a sample presented before the checkpoint that the run resumed from keeps its row.
func TestResumeWithinAnEpoch(t *testing.T) {
	db := open(t)
	row := func(attempt uint32, sample int, step uint64) schemas.LossRow {
		return schemas.LossRow{RunID: "run", Attempt: attempt, SampleID: sampleID(sample), Epoch: 3, Step: step}
	}
	insertStory(t, db, "", func(l *schemas.Losses) {
		l.Append(row(1, 0, 300))
		l.Append(row(1, 1, 301))
		l.Append(row(1, 2, 302)) // after the checkpoint at step 301, and never presented again
		l.Append(row(2, 1, 301))
	})
	got := curves(t, db, "run")
	if len(got) != 2 || got[key(0, "")].Len() != 1 || got[key(1, "")].Len() != 1 {
		t.Errorf("curves %v, want those of samples 0 and 1", got)
	}
	if got, want := ask(t, db, "SELECT count(), sum(attempt) FROM loss_latest"), "(2,3)"; got != want {
		t.Errorf("loss_latest has %s rows, want %s", got, want)
	}
}

func TestCurvesPageByPage(t *testing.T) {
	db := open(t)
	const samples, epochs = 3500, 60 // 210,000 rows: three pages
	for epoch := range uint32(epochs) {
		insertStory(t, db, "", func(l *schemas.Losses) {
			for s := range samples {
				story(l, "long", 1, s, fmt.Sprint("o", s%3), epoch, "c")
			}
		})
	}
	insertStory(t, db, "", func(l *schemas.Losses) { story(l, "other", 1, 1, "", 0, "w") })
	got := curves(t, db, "long")
	if len(got) != samples {
		t.Fatalf("%d curves, want %d", len(got), samples)
	}
	for k, c := range got {
		for e := range c.Epochs {
			if c.Len() != epochs || c.Epochs[e] != uint32(e) || c.Loss[e] != float32(e) {
				t.Fatalf("curve %s: epochs %v, losses %v", k, c.Epochs, c.Loss)
			}
		}
	}
	n := 0
	for _, err := range db.Curves(t.Context(), "long") {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 10 {
			break
		}
	}
	foldAll(t, db)
	if rows := ask(t, db, "SELECT count() FROM forgetting WHERE run_id = 'long'"); rows != fmt.Sprintf("(%d)", samples) {
		t.Errorf("forgetting has %s rows, want %d", rows, samples)
	}
}

func TestLossColumnsSurvive(t *testing.T) {
	db := open(t)
	want := schemas.LossRow{
		RunID: "run", Attempt: 7, Model: "m@2", Dataset: "roads", SampleID: sampleID(1), ObjectID: "o'\\1", Epoch: 1 << 31, Step: 1 << 63,
		Loss: float32(math.NaN()), Correct: true, Margin: float32(math.Inf(-1)), PTrue: 0.25, EL2N: 1.5, EmbNorm: 3, Forgot: true,
		Lineage: "animals@3 coco@2017:dog<animal",
	}
	insertStory(t, db, "", func(l *schemas.Losses) { l.Append(want) })
	got := ask(t, db, "SELECT run_id, attempt, model, dataset, sample, object_id, epoch, step, loss, correct, margin, p_true, el2n, emb_norm, forgot, lineage FROM loss_latest")
	text := `('run',7,'m@2','roads','` + sampleID(1).String() + `','o\'\\1',2147483648,9223372036854775808,nan,true,-inf,0.25,1.5,3,true,'animals@3 coco@2017:dog<animal')`
	if got != text {
		t.Errorf("row %s\nwant %s", got, text)
	}
}

func TestDeduplicationTokens(t *testing.T) {
	db := open(t)
	raw := func() string { return ask(t, db, "SELECT count() FROM losses") }
	batch := func(l *schemas.Losses) { story(l, "run", 1, 0, "", 0, "ccc") }
	for range 3 {
		insertStory(t, db, "losses/3/100", batch)
	}
	if got := raw(); got != "(3)" {
		t.Errorf("%s rows after one batch thrice under one token, want 3", got)
	}
	insertStory(t, db, "losses/3/103", batch)
	if got := raw(); got != "(6)" {
		t.Errorf("%s rows after the same rows under another token, want 6", got)
	}
	insertStory(t, db, "losses/3/100", func(l *schemas.Losses) { story(l, "run", 1, 0, "", 0, "cccc") })
	if got := raw(); got != "(10)" {
		t.Errorf("%s rows after another batch under the first token, want 10", got)
	}
}

func TestUnevenLossesAreRefused(t *testing.T) {
	l := schemas.Losses{RunID: []string{"run"}}
	if err := open(t).InsertLosses(t.Context(), "", &l); err == nil {
		t.Error("columns of different lengths were accepted")
	}
}
