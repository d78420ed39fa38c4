package clickhouse

import (
	"slices"
	"strings"
	"testing"

	"gleaner/schemas"
)

func TestVectorsOfADataset(t *testing.T) {
	db := open(t)
	all := vectors(300, 16)
	put(t, db, "", table(0, all), table(0, all[:50])) // some doubled
	spaces, err := db.Spaces(t.Context(), "cats")
	if err != nil || len(spaces) != 1 || spaces[0] != (Space{Model: "m16@1", Layer: "c5", Samples: 150}) {
		t.Fatalf("spaces %+v, %v", spaces, err)
	}
	spaces[0].Samples = 90_000 // an estimate cuts pages, and no more
	last := schemas.SampleID{}
	seen := 0
	for e, err := range db.Vectors(t.Context(), "cats", spaces[0]) {
		if err != nil {
			t.Fatal(err)
		}
		if slices.Compare(last[:], e.SampleID[:]) >= 0 {
			t.Fatalf("sample %s comes after %s", e.SampleID, last)
		}
		last = e.SampleID
		seen++
		if i := slices.IndexFunc(all, func(v []float32) bool { return slices.Equal(v, e.Vector) }); i < 0 || sampleID(i) != e.SampleID || i%2 != 0 {
			t.Fatalf("sample %s has the vector of place %d", e.SampleID, i)
		}
	}
	if seen != 150 {
		t.Errorf("%d vectors, want 150", seen)
	}
}

func TestWaitingSamplesHaveNoLabel(t *testing.T) {
	db := open(t)
	var samples []schemas.Sample
	for n := range 40 {
		stage := schemas.StageLinted
		if n%4 == 3 {
			stage = schemas.StageSamples // prelabel has not seen it
		}
		samples = append(samples, sample(n, stage, 0, schemas.RankNone))
	}
	if err := db.PutSamples(t.Context(), "", samples); err != nil {
		t.Fatal(err)
	}
	if err := db.PutLabels(t.Context(), "", []schemas.Label{label(0, schemas.RankHuman, 1), label(1, schemas.RankAutomatic, 0)}); err != nil {
		t.Fatal(err)
	}
	var got []schemas.SampleID
	for s, err := range db.Waiting(t.Context(), "test") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, s.ID)
	}
	var want []schemas.SampleID
	for n := 2; n < 40; n++ {
		if n%4 != 3 {
			want = append(want, sampleID(n))
		}
	}
	slices.SortFunc(want, func(a, b schemas.SampleID) int { return slices.Compare(a[:], b[:]) })
	if !slices.Equal(got, want) {
		t.Errorf("%d samples wait, want %d", len(got), len(want))
	}
}

func TestScoresAreColumnsOfTheirViews(t *testing.T) {
	db := open(t)
	if got, err := db.SampleScores(t.Context(), "run", "forgetting"); err != nil || len(got) != 0 {
		t.Errorf("of a run without losses: %v, %v", got, err)
	}
	for _, bad := range []string{"charm", "dataset", "1); DROP TABLE losses --"} {
		if _, err := db.SampleScores(t.Context(), "run", bad); err == nil || !strings.Contains(err.Error(), "there are") || !strings.Contains(err.Error(), "forgetting") {
			t.Errorf("score %q: %v", bad, err)
		}
	}
}
