package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"gleaner/connectors/formats/coco"
	"gleaner/connectors/web"
	"gleaner/deploy/wire"
	"gleaner/schemas"
	"gleaner/stages/dataset"
)

// TestSystem goes through the life of a small dataset with one running system, by the commands that people type.
func TestSystem(t *testing.T) {
	const street, count = "street", 30
	i := install(t)
	if _, errs, code := i.run(t, "status"); code != 3 || !strings.Contains(errs, "gleaner up --data "+i.dir) {
		t.Errorf("status without a system: exit code %d, want 3 and how to start one\n%s", code, errs)
	}
	images := drawn(t, count, 1)
	s := i.up(t)
	conn := s.connect(t)

	accepted := func(dataset string) []string {
		return s.sql(t, "SELECT unique_id FROM sample_latest WHERE dataset = '"+dataset+"' ORDER BY unique_id")
	}
	rejected := func(dataset string) []string {
		return s.sql(t, "SELECT unique_id FROM rejected FINAL WHERE dataset = '"+dataset+"' ORDER BY unique_id")
	}
	// settled waits until every image is on the desk or among the rejects.
	settled := func(dataset string, n int) {
		t.Helper()
		eventually(t, patience, fmt.Sprintf("%d images of %s are accounted for", n, dataset), func() bool {
			tasks, err := s.tasks(dataset, "")
			if err != nil {
				t.Fatal(err)
			}
			linted := s.sql(t, "SELECT count() FROM sample_latest WHERE dataset = '"+dataset+"' AND stage IN ('linted', 'submitted')")
			return len(tasks)+len(rejected(dataset)) == n && linted[0] == strconv.Itoa(len(tasks))
		})
	}

	t.Run("push", func(t *testing.T) {
		result := decode[wire.PushResult](t, i, "push", images, "--dataset", street, "--slice", "weather=drawn")
		if result.Pushed != count || result.Skipped != 0 {
			t.Fatalf("pushed %+v, want %d", result, count)
		}
		settled(street, count)
		in, out := accepted(street), rejected(street)
		if both := slices.Sorted(slices.Values(append(slices.Clone(in), out...))); !slices.Equal(both, names(t, images)) {
			t.Errorf("accepted %v and rejected %v: together not the %d images, each once", in, out, count)
		}
		if len(out) == 0 || len(in) < count/2 {
			t.Errorf("%d accepted, %d rejected: these scenes should have some of the latter, few", len(in), len(out))
		}
		if got := s.sql(t, "SELECT DISTINCT slices['weather'] FROM sample_latest WHERE dataset = 'street'"); !slices.Equal(got, []string{"drawn"}) {
			t.Errorf("slices of the samples: %v", got)
		}
	})
	t.Run("push again", func(t *testing.T) {
		if r := decode[wire.PushResult](t, i, "push", images, "--dataset", street); r.Pushed != 0 || r.Skipped != count {
			t.Errorf("the journal lets %+v pass", r)
		}
		before, tasks := accepted(street), len(must(s.tasks(street, ""))(t))
		if r := decode[wire.PushResult](t, i, "push", images, "--dataset", street, "--again"); r.Pushed != count {
			t.Fatalf("pushed again: %+v", r)
		}
		idle(t, conn)
		settled(street, count)
		if after := accepted(street); !slices.Equal(before, after) {
			t.Errorf("after pushing twice %v, before %v", after, before)
		}
		if n := len(must(s.tasks(street, ""))(t)); n != tasks {
			t.Errorf("%d tasks after pushing twice, %d before", n, tasks)
		}
		if n := written(t, conn.Kafka, schemas.Dead); n != 0 {
			t.Errorf("%d dead letters", n)
		}
	})
	t.Run("status", func(t *testing.T) {
		st := decode[web.Status](t, i, "status")
		var steps []string
		for _, step := range st.Steps {
			steps = append(steps, step.Step)
			if step.State != "running" || step.LastError != "" {
				t.Errorf("step %s is %s: %s", step.Step, step.State, step.LastError)
			}
			if step.Step == "ingest" && (step.In != 2*count || step.Rejected == 0 || step.P95 <= 0) {
				t.Errorf("ingest: %+v", step)
			}
		}
		if want := []string{"ingest", "prelabel", "superpixel", "lint", "route", "publish", "corrections", "audit", "analysis", "catalog"}; !slices.Equal(steps, want) {
			t.Errorf("steps %v, want %v", steps, want)
		}
		if text := i.ok(t, "status"); !strings.Contains(text, "superpixel") || !strings.Contains(text, "lag") {
			t.Errorf("status for people:\n%s", text)
		}
	})
	t.Run("usage", func(t *testing.T) {
		for _, args := range [][]string{{"bogus"}, {"push"}, {"push", images}, {"push", images, "--no-such"}, {"export"}, {"trace", "xyz"}, {"export", "--dataset", "d", "--format", "tape"}, {"run", "nothing"}, {"losses", "push"}, {"up", "--log-level", "loud"}, {"push", images, "--dataset", "a@b"}, {"model", "serve", "m@1", "--dataset", "a@b"}, {"export", "--dataset", "d@1"}, {"dataset", "diff", "d@1"}, {"replay", "--step", "nothing"}, {"similar", "xyz", "--sheet", "a.jpg"}} {
			if _, errs, code := i.run(t, args...); code != 2 || errs == "" || strings.Contains(errs, "gleaner: gleaner") {
				t.Errorf("gleaner %v: exit code %d, want 2\n%s", args, code, errs)
			}
		}
		if _, errs, code := i.run(t, "push", filepath.Join(images, "nowhere"), "-d", street); code != 1 || !strings.Contains(errs, "nowhere") {
			t.Errorf("push of what is not there: exit code %d\n%s", code, errs)
		}
		if _, errs, code := i.run(t, "up"); code != 1 || !strings.Contains(errs, "another") {
			t.Errorf("a second system on the same folder: exit code %d, want 1 and the reason\n%s", code, errs)
		}
	})

	t.Run("submit", func(t *testing.T) {
		for _, task := range must(s.tasks(street, schemas.TaskOpen))(t)[:12] {
			if !must(s.label(task, "car"))(t) {
				t.Fatalf("task %s is not taken", task.ID)
			}
		}
		labeled(t, s, street, 12)
	})
	if t.Failed() {
		t.FailNow() // what follows needs these labels
	}
	labels := s.sql(t, "SELECT unique_id, sample FROM label_latest WHERE dataset = 'street' ORDER BY unique_id")
	first, firstID, _ := strings.Cut(labels[0], "\t")

	t.Run("trace", func(t *testing.T) {
		hops := decode[[]wire.Hop](t, i, "trace", first, "--dataset", street)
		var topics []schemas.Topic
		for _, h := range hops {
			topics = append(topics, h.Topic)
		}
		for _, want := range []schemas.Topic{schemas.Raw, schemas.Samples, schemas.Prelabeled, schemas.Segmented, schemas.Linted, schemas.Desk, schemas.Submitted, schemas.Labels} {
			if !slices.Contains(topics, want) {
				t.Errorf("no record on %s among %v", want, topics)
			}
		}
		if text := i.ok(t, "trace", firstID); !strings.Contains(text, "label, human") || !strings.Contains(text, "by ana: 1 objects") {
			t.Errorf("trace by id:\n%s", text)
		}
	})
	t.Run("export", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "street.json")
		i.ok(t, "export", "--format", "coco", "--dataset", street, "--out", path)
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		back, err := coco.Read(file)
		if err != nil {
			t.Fatal(err)
		}
		if len(back.Objects) != len(labels) {
			t.Errorf("%d images exported, %d are labeled", len(back.Objects), len(labels))
		}
		for name, objects := range back.Objects {
			if len(objects) != 1 || objects[0].Class != "car" || objects[0].Box.X1 != 10 || objects[0].Box.Y2 != 50 {
				t.Errorf("%s: %+v", name, objects)
			}
		}
	})
	t.Run("dataset", func(t *testing.T) {
		v1 := decode[schemas.DatasetVersion](t, i, "dataset", "version", street)
		if again := decode[schemas.DatasetVersion](t, i, "dataset", "version", street); again.ID != v1.ID || v1.Count != len(labels) || v1.Classes["car"] != len(labels) {
			t.Errorf("first %+v, then %+v", v1, again)
		}
		task := must(s.tasks(street, schemas.TaskOpen))(t)[0]
		if !must(s.label(task, "bus"))(t) {
			t.Fatal("not taken")
		}
		labeled(t, s, street, len(labels)+1)
		v2 := decode[schemas.DatasetVersion](t, i, "dataset", "version", street)
		d := decode[dataset.Diff](t, i, "dataset", "diff", v1.ID, v2.ID)
		if !slices.Equal(d.Added, []string{task.SampleID.String()}) || len(d.Removed)+len(d.Relabeled)+len(d.Moved) != 0 || d.Classes["bus"] != 1 {
			t.Errorf("what changed: %+v, want %s added", d, task.SampleID)
		}
		if _, errs, code := i.run(t, "dataset", "diff", v1.ID, "street@nothing"); code != 1 || !strings.Contains(errs, "gleaner dataset list") {
			t.Errorf("diff with an unknown version: exit code %d\n%s", code, errs)
		}
	})
	t.Run("losses", func(t *testing.T) {
		const epochs = 6
		path := filepath.Join(t.TempDir(), "run.csv")
		var table bytes.Buffer
		w := csv.NewWriter(&table)
		_ = w.Write([]string{"unique_id", "object_id", "epoch", "step", "loss", "correct", "margin", "p_true"})
		for n, row := range labels {
			name, _, _ := strings.Cut(row, "\t")
			for epoch := range epochs {
				cells := []string{"0.1", "true", "4", "0.9"} // what the trainer agrees with
				if n == 0 {
					cells = []string{"3.5", "false", "-3", "0.03"}
				}
				_ = w.Write(append([]string{name, "o1", strconv.Itoa(epoch), strconv.Itoa(epoch*len(labels) + n)}, cells...))
			}
		}
		w.Flush()
		if err := os.WriteFile(path, table.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		run := decode[schemas.Run](t, i, "losses", "push", path, "--run", "run7", "--dataset", street, "--model", "theirs@1")
		if run.Rows != uint64(epochs*len(labels)) || run.Epochs != epochs {
			t.Errorf("run %+v", run)
		}
		eventually(t, patience, "the doubted label is back on the desk", func() bool {
			tasks := must(s.tasks(street, schemas.TaskOpen))(t)
			return slices.ContainsFunc(tasks, func(task schemas.Task) bool { return task.UniqueID == first && task.Round == 2 })
		})
		if got := s.sql(t, "SELECT count(), uniqExact(sample_id), any(model) FROM loss_latest WHERE run_id = 'run7'"); got[0] != fmt.Sprintf("%d\t%d\ttheirs@1", epochs*len(labels), len(labels)) {
			t.Errorf("rows, samples and model in ClickHouse: %q", got)
		}
		selection := must(conn.Selections(t.Context(), street))(t)["doubtful"]
		if len(selection.Picks) != 1 || selection.Picks[0].SampleID.String() != firstID || selection.RunID != "run7" {
			t.Errorf("selection %+v, want the one label that the losses argue with", selection)
		}
		for _, task := range must(s.tasks(street, ""))(t) {
			if task.Round > 1 && task.UniqueID != first {
				t.Errorf("task %s (%s) was reopened too: %s", task.ID, task.UniqueID, task.Reason)
			}
		}
	})

	t.Run("poison", func(t *testing.T) {
		garbage, photo := []byte("\x00\xff no Arrow stream \x01"), must(os.ReadFile(filepath.Join(images, first)))(t)
		produce(t, conn.Kafka, []schemas.Record{
			{Topic: schemas.Raw, Key: []byte("no-dataset"), Value: photo},
			{Topic: schemas.Samples, Key: []byte("garbage"), Value: garbage},
		})
		// The catalog reads samples too: garbage dies once in each of its two readers.
		dead := func() map[string]schemas.Record {
			found := map[string]schemas.Record{}
			for _, r := range all(t, conn.Kafka, schemas.Dead) {
				step, _ := r.Header(schemas.HeaderStep)
				attempt, _ := r.Header(schemas.HeaderAttempt)
				found[step+" "+string(r.Key)+" "+attempt] = r
			}
			return found
		}
		eventually(t, patience, "three dead letters", func() bool { return len(dead()) == 3 })
		for name, want := range map[string][]byte{"ingest no-dataset 1": photo, "prelabel garbage 1": garbage, "catalog garbage 1": garbage} {
			if r, ok := dead()[name]; !ok || !bytes.Equal(r.Value, want) {
				t.Errorf("dead letter %q: there is %v, %d bytes, want the %d that came", name, ok, len(r.Value), len(want))
			}
		}
		if text := i.ok(t, "replay", "--dry-run"); !strings.Contains(text, "3 records would be sent back") || written(t, conn.Kafka, schemas.Dead) != 3 {
			t.Errorf("dry run:\n%s", text)
		}
		if text := i.ok(t, "replay", "--step", "prelabel"); !strings.Contains(text, "1 records sent back") && !strings.Contains(text, "1 record sent back") {
			t.Errorf("replay:\n%s", text)
		}
		// It is still poison, to prelabel alone: the catalog passes by what is not for it.
		eventually(t, patience, "the replayed record dies again", func() bool { return len(dead()) == 4 })
		if text := i.ok(t, "replay", "--dry-run"); !strings.Contains(text, "3 records would be sent back") {
			t.Errorf("a record that died twice is sent back twice:\n%s", text)
		}
		idle(t, conn)
		got := dead()
		if r, ok := got["prelabel garbage 2"]; !ok || !bytes.Equal(r.Value, garbage) || len(got) != 4 {
			t.Errorf("after the replay %d dead letters, the second of prelabel has %q", len(got), r.Value)
		}
		for _, step := range decode[web.Status](t, i, "status").Steps {
			if step.State != "running" {
				t.Errorf("step %s is %s after poison: %s", step.Step, step.State, step.LastError)
			}
		}
	})
	t.Run("take back", func(t *testing.T) {
		blurred := s.sql(t, "SELECT unique_id, lower(hex(sample_id)) FROM rejected FINAL WHERE dataset = 'street' AND reason = 'blurred' ORDER BY unique_id LIMIT 1")
		if len(blurred) == 0 {
			t.Fatal("no scene is rejected as blurred")
		}
		name, id, _ := strings.Cut(blurred[0], "\t")
		in := accepted(street)
		if text := i.ok(t, "replay", "--rejected", "--key", id); !strings.Contains(text, "blurred") {
			t.Errorf("replay --rejected:\n%s", text)
		}
		eventually(t, patience, "the blurred image is on the desk", func() bool {
			return slices.ContainsFunc(must(s.tasks(street, schemas.TaskOpen))(t), func(task schemas.Task) bool { return task.UniqueID == name })
		})
		idle(t, conn)
		if want := slices.Sorted(slices.Values(append(in, name))); !slices.Equal(accepted(street), want) {
			t.Errorf("accepted %v, want %v", accepted(street), want)
		}
		// Other bytes under the same id stay away for good, and so nothing is sent.
		other := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(other, must(os.ReadFile(filepath.Join(images, in[len(in)-1])))(t), 0o644); err != nil {
			t.Fatal(err)
		}
		i.ok(t, "push", other, "--dataset", street)
		idle(t, conn)
		rejects := written(t, conn.Kafka, schemas.Rejects)
		if text := i.ok(t, "replay", "--rejected", "--reason", "conflict"); !strings.Contains(text, "stays: ingest would reject it again") || !strings.Contains(text, "0 records sent back") {
			t.Errorf("replay of a conflict:\n%s", text)
		}
		if _, says, _ := i.run(t, "replay", "--rejected", "--reason", "nonsense", "--dry-run"); !strings.Contains(says, "there are ") || !strings.Contains(says, "conflict") {
			t.Errorf("replay for a reason that nothing has: %s", says)
		}
		idle(t, conn)
		if n := written(t, conn.Kafka, schemas.Rejects); n != rejects {
			t.Errorf("%d rejects, %d before", n, rejects)
		}
	})

	t.Run("erase", func(t *testing.T) {
		if status := must(s.call(http.MethodGet, "/api/samples/"+firstID+"/image", "", nil, nil))(t); status != http.StatusOK {
			t.Fatalf("the image before: HTTP status %d", status)
		}
		var id schemas.SampleID
		if err := id.UnmarshalText([]byte(firstID)); err != nil {
			t.Fatal(err)
		}
		if err := conn.Blobs.Put(t.Context(), schemas.AnsweredKey(id), []byte(`{"round":1,"actor":"ana"}`)); err != nil {
			t.Fatal(err)
		}
		done := decode[[]wire.Erased](t, i, "erase", first, "--dataset", street, "--reason", "asked to")
		if _, err := conn.Blobs.Get(t.Context(), schemas.AnsweredKey(id)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("what the labeler was answered is there after the erasure: %v", err)
		}
		removed := map[string]uint64{}
		left := map[string]bool{}
		for _, e := range done {
			if e.Remain {
				left[e.Where] = true
			} else {
				removed[e.Where+": "+e.What] += e.Count
			}
		}
		for _, want := range []string{"ClickHouse: rows of samples", "ClickHouse: rows of labels", "ClickHouse: rows of losses", "desk: task removed, by a command on its log", "blob store: the image and what names its owner"} {
			if removed[want] == 0 {
				t.Errorf("nothing removed as %q: %v", want, removed)
			}
		}
		if !left[string(schemas.Raw)] || !left[string(schemas.Labels)] {
			t.Errorf("what Kafka cannot remove is not listed as left: %v", left)
		}
		for _, path := range []string{"/api/samples/" + firstID + "/image", "/api/samples/" + firstID} {
			if status := must(s.call(http.MethodGet, path, "", nil, nil))(t); status != http.StatusNotFound && status != http.StatusGone {
				t.Errorf("GET %s after the erasure: HTTP status %d", path, status)
			}
		}
		for _, e := range decode[[]wire.Erased](t, i, "erase", first, "--dataset", street) {
			if !e.Remain && e.Count != 0 {
				t.Errorf("erased again, %d were there still: %s, %s", e.Count, e.Where, e.What)
			}
		}
		// The producer sends it again: it stays away.
		one := filepath.Join(images, first)
		if r := decode[wire.PushResult](t, i, "push", one, "--dataset", street, "--again"); r.Pushed != 1 {
			t.Fatalf("pushed %+v", r)
		}
		idle(t, conn)
		if text := i.ok(t, "trace", first, "--dataset", street); strings.Count(text, "refused: the sample was erased before") != 1 {
			t.Errorf("trace of an erased sample that came again:\n%s", text)
		}
		for _, table := range []string{"samples", "labels", "losses", "picks"} {
			if got := s.sql(t, "SELECT count() FROM "+table+" WHERE sample_id = unhex('"+firstID+"')"); got[0] != "0" {
				t.Errorf("%s rows of the erased sample in %s", got[0], table)
			}
		}
		if slices.ContainsFunc(must(s.tasks(street, ""))(t), func(task schemas.Task) bool { return task.UniqueID == first }) {
			t.Error("the erased sample has a task again")
		}
		if _, err := os.Stat(filepath.Join(i.dir, "blobs", filepath.FromSlash(schemas.ImageKey(digest(t, one))))); !os.IsNotExist(err) {
			t.Errorf("the bytes are in the blob store again: %v", err)
		}
		if _, errs, code := i.run(t, "erase", "never-seen", "--dataset", street); code != 1 || !strings.Contains(errs, "know") {
			t.Errorf("erasing what never came: exit code %d\n%s", code, errs)
		}
	})
	t.Run("database killed", func(t *testing.T) {
		before := s.children
		for _, pid := range before {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
		eventually(t, patience, "the database listens again", func() bool {
			answer, err := http.Get(s.at.Play)
			return err == nil && answer.Body.Close() == nil && answer.StatusCode == http.StatusOK
		})
		const late = "late"
		more := drawn(t, 4, 77)
		i.ok(t, "push", more, "--dataset", late)
		settled(late, 4)
		if s.dead() {
			t.Fatal("the system ended with its database")
		}
		if s.children = childrenOf(s.cmd.Process.Pid); len(s.children) == 0 || slices.Equal(s.children, before) {
			t.Errorf("children %v, before the kill %v: want others", s.children, before)
		}
	})
	t.Run("hostile", func(t *testing.T) { pushHostile(t, s, conn) })
	t.Run("stop", func(t *testing.T) {
		if code := s.stop(t); code != 0 && code != 130 {
			t.Errorf("exit code %d after SIGTERM, want 0", code)
		}
		s.orphans(t)
		if _, _, code := i.run(t, "status"); code != 3 {
			t.Errorf("status after the end: exit code %d, want 3", code)
		}
	})
}

// labeled waits until so many samples of a dataset have a human label, in ClickHouse.
func labeled(t *testing.T, s *instance, dataset string, n int) {
	t.Helper()
	eventually(t, patience, fmt.Sprintf("%d human labels of %s", n, dataset), func() bool {
		return s.sql(t, "SELECT count() FROM label_latest WHERE rank = 'human' AND dataset = '"+dataset+"'")[0] == strconv.Itoa(n)
	})
}

// idle waits until every step has handled all that was there, and what came of it.
func idle(t *testing.T, c *wire.Connections) {
	t.Helper()
	quiet := 0
	eventually(t, patience, "the system is idle", func() bool {
		quiet++
		if !must(c.Idle(t.Context()))(t) {
			quiet = 0
		}
		return quiet == 2 // twice around, since the flow has loops
	})
}

// must is the value of a call that may not fail here.
func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func digest(t *testing.T, path string) schemas.Hash {
	t.Helper()
	return sha256.Sum256(must(os.ReadFile(path))(t))
}
