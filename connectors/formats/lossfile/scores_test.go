package lossfile

import (
	"math"
	"strings"
	"testing"

	"gleaner/schemas"
)

const scoresText = `run_id,dataset,sample,object_id,class,kind,presentations,aum,trend_q,class_outlier,confidence
r1,d,0102030405060708090a0b0c0d0e0f10,h7,car,label_error,9,-2.5,nan,1.5,0.25
r1,d,ffffffffffffffffffffffffffffffff,,,easy,9,4,0.5,,1
`

func collectScores(t *testing.T, content string) (all []Score, err error) {
	t.Helper()
	for s, err := range ReadScores(t.Context(), write(t, "x.csv", content)) {
		if err != nil {
			return all, err
		}
		all = append(all, s)
	}
	return all, nil
}

func TestReadScores(t *testing.T) {
	all, err := collectScores(t, scoresText)
	if err != nil || len(all) != 2 {
		t.Fatalf("%+v, %v", all, err)
	}
	first, second := all[0], all[1]
	if !math.IsNaN(first.TrendQ) {
		t.Errorf("%+v", first)
	}
	first.TrendQ = 0
	id, _ := schemas.ParseSampleID("0102030405060708090a0b0c0d0e0f10")
	if want := (Score{RunID: "r1", Dataset: "d", SampleID: id, ObjectID: "h7", Class: "car", Kind: "label_error", Presentations: 9, AUM: -2.5, ClassOutlier: 1.5}); first != want {
		t.Errorf("%+v, want %+v", first, want)
	}
	if second.ObjectID != "" || second.Class != "" || second.Kind != "easy" || second.AUM != 4 || second.TrendQ != 0.5 || !math.IsNaN(second.ClassOutlier) {
		t.Errorf("%+v", second)
	}
}

func TestReadScoresRefuses(t *testing.T) {
	for _, c := range []struct{ content, want string }{
		{text, "these are losses, not the scores that they come to: `gleaner export --scores RUN"},
		{strings.Replace(scoresText, "aum", "AUM", 1), "the column aum is missing; there are run_id, dataset, sample, object_id, class, kind, presentations, AUM"},
		{strings.Replace(scoresText, "0102", "01", 1), `row 1: sample id "0103`},
		{strings.Replace(scoresText, ",4,", ",four,", 1), `row 2: aum is "four": want a number`},
		{strings.Replace(scoresText, "r1,d,ff", ",d,ff", 1), "row 2: run_id or dataset is empty"},
	} {
		if _, err := collectScores(t, c.content); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: error %v, want it to say %q", c.content, err, c.want)
		}
	}
}
