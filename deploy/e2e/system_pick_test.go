package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gleaner/deploy/wire"
	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

// pickedFrom fills the database of a running system with a dataset: labeled samples of three classes with embeddings, losses of the
// run "r", and some that wait. It returns how often each labeled sample's two objects were forgotten, on average.
func pickedFrom(t *testing.T, c *wire.Connections, name string) map[schemas.SampleID]float64 {
	t.Helper()
	const labeled, waiting, dim = 300, 60, 8
	events := map[schemas.SampleID]float64{}
	rng := rand.New(rand.NewPCG(1, 2))
	at := time.Now().UTC().Truncate(time.Microsecond)
	var labels []schemas.Label
	var samples []schemas.Sample
	var losses schemas.Losses
	e := schemas.Embeddings{Dim: dim}
	for i := range labeled + waiting {
		unique := fmt.Sprintf("%05d.jpg", i)
		id, class := schemas.NewSampleID(name, unique, schemas.Hash{}), i%10/4
		e.Dataset, e.SampleID, e.ObjectID = append(e.Dataset, name), append(e.SampleID, id), append(e.ObjectID, "")
		e.Model, e.Layer = append(e.Model, "net@1"), append(e.Layer, "c5")
		for d := range dim {
			v := float32(rng.NormFloat64())
			if d == class {
				v += 3
			}
			e.Vector = append(e.Vector, v)
		}
		image := schemas.ImageRef{SHA256: schemas.Hash{byte(i), byte(i >> 8)}, Size: 1000, W: 64, H: 64}
		object := schemas.Object{ID: "o1", Class: []string{"bus", "car", "van"}[class], Box: geometry.Box{X2: 9, Y2: 9}, Score: rng.Float32()}
		slice := map[string]string{"weather": []string{"sun", "rain"}[i%2]}
		if i >= labeled {
			samples = append(samples, schemas.Sample{
				ID: id, Dataset: name, UniqueID: unique, Task: "detect", Image: image, Slices: slice, Group: id, Received: at,
				Stage: schemas.StageLinted, Objects: []schemas.Object{object},
			})
			continue
		}
		labels = append(labels, schemas.Label{
			SampleID: id, Dataset: name, UniqueID: unique, Task: "detect", Image: image, Slices: slice, Group: id, Rank: schemas.RankHuman, Revision: 1,
			Objects: []schemas.Object{object}, Actor: "ana", At: at,
		})
		for _, object := range []string{"o1", "o2"} {
			before := false
			for epoch := range uint32(6) {
				correct := rng.IntN(2) == 0
				if before && !correct {
					events[id] += 0.5
				}
				before = correct
				losses.Append(schemas.LossRow{RunID: "r", Attempt: 1, Dataset: name, SampleID: id, ObjectID: object, Epoch: epoch, Correct: correct, Loss: 1, PTrue: 0.5, Margin: 1})
			}
		}
	}
	for what, err := range map[string]error{
		"labels": c.DB.PutLabels(t.Context(), "", labels), "samples": c.DB.PutSamples(t.Context(), "", samples),
	} {
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	if err := c.DB.PutEmbeddings(t.Context(), "", []schemas.Embeddings{e}); err != nil {
		t.Fatal(err)
	}
	if err := c.DB.InsertLosses(t.Context(), "", &losses); err != nil {
		t.Fatal(err)
	}
	return events
}

// TestPick asks for coresets, and for what to label next, of a dataset in a running system.
func TestPick(t *testing.T) {
	i := install(t)
	s := i.up(t)
	c := s.connect(t)
	events := pickedFrom(t, c, "street")
	eventually(t, patience, "the losses are scored", func() bool {
		scores, err := c.DB.SampleScores(t.Context(), "r", "forgetting_events")
		if err != nil {
			t.Fatal(err)
		}
		if len(scores) != 300 {
			return false
		}
		for id, n := range scores {
			if n != events[id] {
				t.Fatalf("sample %s was forgotten %g times, want %g", id, n, events[id])
			}
		}
		return true
	})

	args := []string{"pick", "--dataset", "street", "--split", "all", "--method", "facility", "--fraction", "0.1"}
	dry := decode[wire.Picked](t, i, append(args, "--dry-run")...)
	if versions, err := c.Versions(t.Context(), "street"); err != nil || len(versions) != 0 {
		t.Errorf("a dry run registers %d versions (%v)", len(versions), err)
	}
	first := decode[wire.Picked](t, i, args...)
	if dry.Selection.ID != first.Selection.ID {
		t.Errorf("a dry run would make %s, not %s", dry.Selection.ID, first.Selection.ID)
	}
	again := decode[wire.Picked](t, i, args...)
	sel := first.Selection
	if sel.ID != again.Selection.ID || !slices.Equal(sel.Picks, again.Selection.Picks) || len(sel.Picks) != 30 || !strings.HasPrefix(sel.DatasetVersion, "street@") {
		t.Errorf("%s with %d picks of %s, then %s", sel.ID, len(sel.Picks), sel.DatasetVersion, again.Selection.ID)
	}
	if len(first.Compared) != 3 || *first.Compared[0].Coverage <= *first.Compared[1].Coverage || first.Compared[2].Method != "balanced" || first.Samples != 300 {
		t.Errorf("compared %+v", first.Compared)
	}
	if rows := s.sql(t, "SELECT count(), uniqExact(selection_id) FROM picks FINAL"); rows[0] != "30\t1" {
		t.Errorf("picks in the database: %s", rows[0])
	}
	if found, err := c.Selections(t.Context(), "street"); err != nil || found["picked"].ID != sel.ID || len(found["picked"].Picks) != 30 {
		t.Errorf("on the topic: %+v, %v", found["picked"], err)
	}

	other := decode[wire.Picked](t, i, append(args, "--seed", "1", "--dry-run")...)
	if other.Selection.ID == sel.ID {
		t.Error("another seed gives the same id")
	}
	keep, drop := filepath.Join(t.TempDir(), "keep.txt"), filepath.Join(t.TempDir(), "drop.txt")
	for path, text := range map[string]string{keep: "# golden\n00009.jpg\n", drop: sel.Picks[0].SampleID.String() + "\n"} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ccs := decode[wire.Picked](t, i, "pick", "-d", "street", "--split", "all", "--method", "ccs", "--by", "forgetting_events", "--run", "r", "--count", "20",
		"--slice", "weather=rain", "--keep", keep, "--drop", drop, "--per-class")
	if len(ccs.Selection.Picks) != 20 || ccs.Samples != 150 || ccs.Selection.RunID != "r" ||
		ccs.Selection.Picks[0].SampleID != schemas.NewSampleID("street", "00009.jpg", schemas.Hash{}) || ccs.LeftOut["of other slices"] != 150 {
		t.Errorf("%d picks of %d, the first %+v; left out %v", len(ccs.Selection.Picks), ccs.Samples, ccs.Selection.Picks[0], ccs.LeftOut)
	}

	pickedAsLossesCome(t, i, s, c)

	next := decode[wire.Picked](t, i, "pick", "-d", "street", "--unlabeled", "--count", "10")
	waiting := s.sql(t, "SELECT lower(hex(sample_id)) FROM samples FINAL")
	for _, p := range next.Selection.Picks {
		if !slices.Contains(waiting, p.SampleID.String()) {
			t.Errorf("sample %s does not wait", p.SampleID)
		}
	}
	if next.Samples != 60 || len(next.Selection.Picks) != 10 || next.Selection.Kind != "unlabeled" {
		t.Errorf("%d of %d picked, kind %s", len(next.Selection.Picks), next.Samples, next.Selection.Kind)
	}

	// A label that changes since a version was made is no part of it.
	relabeled := schemas.NewSampleID("street", "00000.jpg", schemas.Hash{})
	l, _, err := c.DB.Label(t.Context(), relabeled)
	if err != nil {
		t.Fatal(err)
	}
	l.Revision, l.Objects[0].Class = 2, "van"
	if err := c.DB.PutLabels(t.Context(), "", []schemas.Label{l}); err != nil {
		t.Fatal(err)
	}
	decode[wire.Picked](t, i, "pick", "-d", "street", "--unlabeled", "--count", "10")
	versions, err := c.Versions(t.Context(), "street")
	if err != nil || len(versions) != 2 || versions[0].Note != "picked from" || !strings.HasPrefix(versions[1].Note, "the labels there were") {
		t.Errorf("versions %+v, %v", versions, err)
	}
	if old := decode[wire.Picked](t, i, append(args, "--version", sel.DatasetVersion, "--dry-run")...); old.Samples != 299 || old.Selection.ID == sel.ID {
		t.Errorf("of the old version: %d samples, selection %s", old.Samples, old.Selection.ID)
	}
	if out := i.ok(t, append(args, "--dry-run")...); !strings.Contains(out, "nothing was written") || !strings.Contains(out, "balanced") {
		t.Errorf("a dry run prints\n%s", out)
	}
	if rows := s.sql(t, "SELECT count() FROM selections FINAL"); rows[0] != "6" {
		t.Errorf("%s selections, want 6: dry runs write none", rows[0])
	}
	for want, args := range map[string][]string{
		"goes by a score: name it":          {"--method", "hardest", "--count", "3"},
		"there is no score \"charm\"":       {"--method", "hardest", "--by", "charm", "--run", "r", "--count", "3"},
		"run \"s\" has no losses":           {"--method", "hardest", "--by", "forgetting_events", "--run", "s", "--count", "3"},
		"model other has embedded no image": {"--method", "kcenter", "--model", "other", "--count", "3"},
		"is not registered":                 {"--method", "random", "--version", "street@0", "--count", "3"},
		"no sample is left to pick from":    {"--method", "random", "--slice", "weather=snow", "--count", "3"},
	} {
		if _, errs, code := i.run(t, append([]string{"pick", "-d", "street"}, args...)...); code != 1 || !strings.Contains(errs, want) {
			t.Errorf("pick %v: exit code %d, want %q\n%s", args, code, want, errs)
		}
	}
	manyPicks(t, s, c)
}

// pickedAsLossesCome picks by a run that goes on: by all of its losses, and each time under an id that has the picks of that time alone.
func pickedAsLossesCome(t *testing.T, i *installation, s *instance, c *wire.Connections) {
	pick := func(epoch uint32, samples ...int) schemas.Selection {
		t.Helper()
		var losses schemas.Losses
		for _, n := range samples {
			for e := range uint32(2) { // learned, and forgotten
				losses.Append(schemas.LossRow{
					RunID: "late", Attempt: 1, Dataset: "street", SampleID: schemas.NewSampleID("street", fmt.Sprintf("%05d.jpg", n), schemas.Hash{}), ObjectID: "o1",
					Epoch: epoch + e, Correct: e == 0, Loss: 1, PTrue: 0.5, Margin: 1,
				})
			}
		}
		if err := c.DB.InsertLosses(t.Context(), "", &losses); err != nil {
			t.Fatal(err)
		}
		return decode[wire.Picked](t, i, "pick", "-d", "street", "--split", "all", "--method", "hardest", "--by", "forgetting_events", "--run", "late", "--count", "3").Selection
	}
	before, after := pick(0, 1, 2, 3), pick(2, 4, 5, 3)
	if len(before.Picks) != 3 || len(after.Picks) != 3 || after.Picks[0].SampleID != schemas.NewSampleID("street", "00003.jpg", schemas.Hash{}) || after.Picks[0].Score != 2 {
		t.Errorf("picks %+v, then %+v", before.Picks, after.Picks)
	}
	if rows := s.sql(t, "SELECT count() FROM picks FINAL WHERE selection_id IN ('"+before.ID+"', '"+after.ID+"') GROUP BY selection_id"); !slices.Equal(rows, []string{"3", "3"}) {
		t.Errorf("%s and %s have %q picks, want 3 each", before.ID, after.ID, rows)
	}
}

// manyPicks writes more than the topic takes: they go to the blob store.
func manyPicks(t *testing.T, s *instance, c *wire.Connections) {
	sel := schemas.Selection{ID: "large/picked/all", Dataset: "large", Kind: "picked", Method: "random", At: time.Now().UTC().Truncate(time.Microsecond)}
	for i := range 50_000 {
		id := schemas.NewSampleID("large", fmt.Sprint(i), schemas.Hash{})
		sel.Picks = append(sel.Picks, schemas.Pick{SampleID: id, Score: 1, Weight: 1, Reason: "one of fifty thousand"})
	}
	if err := c.PutSelection(t.Context(), sel); err != nil {
		t.Fatal(err)
	}
	found, err := c.Selections(t.Context(), "large")
	if err != nil {
		t.Fatal(err)
	}
	on := found["picked"]
	if on.ID != sel.ID || on.Blob == nil || len(on.Picks) != 0 {
		t.Fatalf("on the topic: selection %s with %d picks and blob %v", on.ID, len(on.Picks), on.Blob)
	}
	data, err := c.Blobs.Get(t.Context(), on.Blob.Key)
	if err != nil {
		t.Fatal(err)
	}
	var picks []schemas.Pick
	if err := json.Unmarshal(data, &picks); err != nil || !slices.Equal(picks, sel.Picks) || int64(len(data)) != on.Blob.Size {
		t.Errorf("%d picks in the blob store, %v", len(picks), err)
	}
	if rows := s.sql(t, "SELECT count() FROM picks FINAL WHERE selection_id = '"+on.ID+"'"); rows[0] != "50000" {
		t.Errorf("%s picks in the database", rows[0])
	}
}
