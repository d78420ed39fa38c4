package clickhouse

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

var at = time.Date(2026, 5, 1, 12, 0, 0, 123456000, time.UTC)

func sample(n int, stage schemas.Stage, revision uint64, rank schemas.Rank) schemas.Sample {
	unique := fmt.Sprint("sample ", n)
	s := schemas.Sample{
		ID: sampleID(n), Dataset: "test", UniqueID: unique, Task: "detect",
		Image:    schemas.ImageRef{SHA256: schemas.Hash{1, byte(n)}, Size: 1000, MediaType: "image/jpeg", W: 640, H: 480},
		Slices:   map[string]string{"weather": "rain"},
		PHash:    0xfedcba9876543210 + uint64(n),
		Group:    sampleID(n),
		Received: at, Stage: stage, Revision: revision, Rank: rank,
		Objects:  []schemas.Object{{ID: "o1", Class: "car", Box: geometry.Box{X1: 1, Y1: 2, X2: 30.5, Y2: 40}, Score: 0.75, Source: "yolox@1"}},
		Findings: []schemas.Finding{{Type: schemas.FindingLoose, ObjectID: "o1", Score: 0.5, Why: "it does not fit"}},
		Stamps:   []schemas.Stamp{{Step: "ingest", Version: "1", At: at}},
		Actor:    fmt.Sprintf("stage %d of revision %d", stage, revision),
	}
	return s
}

func label(n int, rank schemas.Rank, revision uint64) schemas.Label {
	return schemas.Label{
		SampleID: sampleID(n), Dataset: "test", UniqueID: fmt.Sprint("sample ", n), Task: "detect",
		Image: schemas.ImageRef{SHA256: schemas.Hash{1, byte(n)}, W: 640, H: 480}, Group: sampleID(n), Rank: rank, Revision: revision,
		Objects: []schemas.Object{{ID: "o1", Class: "car", Box: geometry.Box{X1: 1, Y1: 2, X2: 3, Y2: 4}, Source: "person:alice"}},
		Actor:   "alice", Stamps: []schemas.Stamp{{Step: "route", At: at}}, At: at,
	}
}

func TestTheLatestSampleWins(t *testing.T) {
	db := open(t)
	// In the order of the flow; each one replaces those before it, in whatever order they are written.
	flow := []schemas.Sample{
		sample(1, schemas.StageSamples, 0, schemas.RankNone),
		sample(1, schemas.StagePrelabeled, 0, schemas.RankNone),
		sample(1, schemas.StageSegmented, 0, schemas.RankNone),
		sample(1, schemas.StageLinted, 0, schemas.RankNone),
		sample(1, schemas.StageSubmitted, 3, schemas.RankHuman),
		sample(1, schemas.StageLinted, 3, schemas.RankHuman),
		sample(1, schemas.StageSubmitted, 4, schemas.RankHuman),
	}
	flow[0].Image.Inline = []byte("pixels")
	for i := range flow {
		written := slices.Clone(flow[:i+1])
		slices.Reverse(written)
		if err := db.PutSamples(t.Context(), fmt.Sprint("a", i), written); err != nil {
			t.Fatal(err)
		}
		got, found, err := db.Sample(t.Context(), sampleID(1))
		if err != nil || !found {
			t.Fatalf("Sample: found %t, %v", found, err)
		}
		want := flow[i]
		want.Image.Inline = nil
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("after %s: -want +got\n%s", want.Actor, diff)
		}
		if actor := ask(t, db, "SELECT actor FROM sample_latest"); actor != "('"+want.Actor+"')" {
			t.Errorf("sample_latest has %s, want %s", actor, want.Actor)
		}
	}
	got := ask(t, db, "SELECT sample, `group`, image, stage, rank, objects, classes, scores, boxes.x2, slices['weather'], findings, doubt, phash, received FROM sample_latest")
	want := fmt.Sprintf(`('%[1]s','%[1]s','%s','submitted','human',1,['car'],[0.75],[30.5],'rain',['loose'],0.5,18364758544493064721,'2026-05-01 12:00:00.123456')`,
		sampleID(1), schemas.Hash{1, 1})
	if got != want {
		t.Errorf("columns %s\nwant %s", got, want)
	}
	if _, found, err := db.Sample(t.Context(), sampleID(2)); found || err != nil {
		t.Errorf("a sample that is not there: found %t, %v", found, err)
	}
}

func TestTheBestLabelWins(t *testing.T) {
	db := open(t)
	better := []schemas.Label{
		label(1, schemas.RankAutomatic, 9), label(1, schemas.RankHuman, 1), label(1, schemas.RankHuman, 2), label(1, schemas.RankReviewed, 0),
	}
	for i := range better {
		written := slices.Clone(better[:i+1])
		slices.Reverse(written)
		if err := db.PutLabels(t.Context(), "", written); err != nil {
			t.Fatal(err)
		}
		var got []schemas.Label
		for l, err := range db.Labels(t.Context(), "test") {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, l)
		}
		if diff := cmp.Diff(better[i:i+1], got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	}
	if got, want := ask(t, db, "SELECT sample, rank, classes, boxes.y2, sources FROM label_latest"), "('"+sampleID(1).String()+"','reviewed',['car'],[4],['person:alice'])"; got != want {
		t.Errorf("label_latest %s, want %s", got, want)
	}
}

func TestLabelsComeInOrderPageByPage(t *testing.T) {
	db := open(t)
	const n = 3*labelsPerPage + 7
	labels := make([]schemas.Label, n)
	for i := range labels {
		labels[i] = label(i, schemas.RankHuman, 1)
	}
	for range 2 {
		if err := db.PutLabels(t.Context(), "", labels); err != nil {
			t.Fatal(err)
		}
		slices.Reverse(labels)
	}
	var last schemas.SampleID
	count := 0
	for l, err := range db.Labels(t.Context(), "test") {
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Compare(l.SampleID[:], last[:]) <= 0 {
			t.Fatalf("label of %s comes after that of %s", l.SampleID, last)
		}
		last = l.SampleID
		count++
	}
	if count != n {
		t.Errorf("%d labels, want %d", count, n)
	}
	for _, err := range db.Labels(t.Context(), "no such dataset") {
		t.Errorf("an empty dataset yields a label, %v", err)
	}
}

func TestCountsAndErase(t *testing.T) {
	db := open(t)
	reject := func(n int, reason string) schemas.Rejected {
		return schemas.Rejected{Sample: sample(n, schemas.StageSamples, 0, schemas.RankNone), Reason: reason, Measure: 1, Threshold: 2}
	}
	conflict, later := reject(1, "conflict"), reject(3, "conflict")
	conflict.Sample.Image.SHA256, later.Sample.Image.SHA256 = schemas.Hash{99}, schemas.Hash{98}
	later.Sample.Received = at.Add(time.Second)
	for _, token := range []string{"first", "again"} {
		if err := db.PutSamples(t.Context(), token, []schemas.Sample{
			sample(1, schemas.StageSamples, 0, 0), sample(1, schemas.StageLinted, 0, 0), sample(2, schemas.StageSamples, 0, 0), sample(5, schemas.StageLinted, 0, 0),
		}); err != nil {
			t.Fatal(err)
		}
		if err := db.PutLabels(t.Context(), token, []schemas.Label{
			label(1, schemas.RankAutomatic, 1), label(1, schemas.RankHuman, 1), label(2, schemas.RankAutomatic, 1),
		}); err != nil {
			t.Fatal(err)
		}
		// Sample 5 was rejected and then taken back, and of 1 and 3 other images came later.
		if err := db.PutRejected(t.Context(), token, []schemas.Rejected{reject(3, "blurred"), reject(4, "blurred"), reject(5, "too-small"), conflict, later}); err != nil {
			t.Fatal(err)
		}
		if err := db.PutEmbeddings(t.Context(), token, []schemas.Embeddings{table(1, vectors(2, 8))}); err != nil {
			t.Fatal(err)
		}
		insertStory(t, db, token, func(l *schemas.Losses) { story(l, "run", 1, 1, "", 0, "cc") })
		putCorrections(t, db, token, correction(1, 1, "p1", "o1"))
		putAudits(t, db, token, auditOf(1, 1, false))
		if err := db.PutJudgments(t.Context(), token, []schemas.Judgment{
			{SampleID: sampleID(1), Dataset: "test", Revision: 1, Type: schemas.FindingMissing, Outcome: schemas.JudgedFixed, At: at},
		}); err != nil {
			t.Fatal(err)
		}
		if err := db.PutSelection(t.Context(), schemas.Selection{
			ID: "s", Dataset: "test", Kind: "doubtful", At: at,
			Picks: []schemas.Pick{{SampleID: sampleID(1), Score: 1, Weight: 1, Reason: "why"}, {SampleID: sampleID(2), Score: 2, Weight: 1}},
		}); err != nil {
			t.Fatal(err)
		}
		if err := db.PutDecisionStates(t.Context(), []schemas.DecisionState{
			{Dataset: "test", Decision: "broken", Action: schemas.ActionRemove, SampleID: sampleID(1), RunID: "run", At: at},
		}); err != nil {
			t.Fatal(err)
		}
		if err := db.PutDiscovered(t.Context(), Discovery{Dataset: "test", Name: "look", Began: at}, []Discovered{{SampleID: sampleID(1), Value: "look-0"}}); err != nil {
			t.Fatal(err)
		}
		if err := db.PutRun(t.Context(), schemas.Run{RunID: "run", Attempt: 1, Epochs: 2, Metrics: map[string]float64{"val_accuracy": 0.5}, Finished: at}); err != nil {
			t.Fatal(err)
		}
	}
	counts := func() Counts {
		t.Helper()
		c, err := db.Counts(t.Context(), "test")
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	want := Counts{
		Samples:  3,
		Stages:   map[schemas.Stage]uint64{schemas.StageSamples: 1, schemas.StageLinted: 2},
		Labels:   map[schemas.Rank]uint64{schemas.RankHuman: 1, schemas.RankAutomatic: 1},
		Rejected: map[string]uint64{"blurred": 2},
	}
	if diff := cmp.Diff(want, counts()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	// An erasure must find the bytes of the conflict too, which are in no other table.
	if images, err := db.Images(t.Context(), sampleID(1)); err != nil || len(images) != 2 || !slices.Contains(images, conflict.Sample.Image.SHA256) {
		t.Errorf("images of a sample with a conflict: %v, %v", images, err)
	}
	if got, want := ask(t, db, "SELECT run_id, metrics['val_accuracy'] FROM runs FINAL"), "('run',0.5)"; got != want {
		t.Errorf("runs %s, want %s", got, want)
	}
	if got, want := ask(t, db, "SELECT selection_id, picks, (SELECT count() FROM picks FINAL) FROM selections FINAL"), "('s',2,2)"; got != want {
		t.Errorf("selections %s, want %s", got, want)
	}

	foldAll(t, db)
	removed, err := db.Erase(t.Context(), sampleID(1))
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tablesBySample {
		if removed[table] == 0 {
			t.Errorf("nothing was removed from %s: %v", table, removed)
		}
		if left := ask(t, db, "SELECT count() FROM "+table+" WHERE sample_id = "+idLiteral(sampleID(1))); left != "(0)" {
			t.Errorf("%s rows are left in %s", left, table)
		}
	}
	if n, found := near(t, NewTwins(db), "test", sample(1, schemas.StageSamples, 0, 0).PHash); found && n.ID == sampleID(1) {
		t.Errorf("an erased sample is found as a neighbor: %+v", n)
	}
	want.Samples, want.Stages[schemas.StageLinted] = 2, 1
	want.Labels = map[schemas.Rank]uint64{schemas.RankAutomatic: 1}
	delete(want.Rejected, "conflict")
	if diff := cmp.Diff(want, counts()); diff != "" {
		t.Errorf("after erasing: -want +got\n%s", diff)
	}
	again, err := db.Erase(t.Context(), sampleID(1))
	if err != nil {
		t.Fatal(err)
	}
	for table, n := range again {
		if n != 0 {
			t.Errorf("erasing again removed %d rows from %s", n, table)
		}
	}
}
