package e2e

import (
	"bytes"
	"encoding/csv"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gleaner/deploy/e2e/realdata"
	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

// TestTwinsAndLossesDoubt: of two near-duplicate photos the second comes to people with the labels that a person gave the first. A run's losses then argue with a label: whoever submits it with another box, but of the same class, is asked about
// it, and with another class is not.
func TestTwinsAndLossesDoubt(t *testing.T) {
	photos, err := filepath.Glob(filepath.Join(realdata.Need(t, "coco128", "images"), "*.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	i := install(t)
	s := i.up(t)
	dir := t.TempDir()
	if err := os.Symlink(photos[0], filepath.Join(dir, "whole.jpg")); err != nil {
		t.Fatal(err)
	}
	shrink(t, photos[0], filepath.Join(dir, "half.jpg"))
	// claim waits for the task of an image and takes it.
	claim := func(name string, round uint64) (schemas.Task, []schemas.Finding) {
		t.Helper()
		var view struct {
			Task   schemas.Task
			Sample schemas.Sample
		}
		eventually(t, patience, name+" is on the desk", func() bool {
			tasks := must(s.tasks("street", schemas.TaskOpen))(t)
			at := slices.IndexFunc(tasks, func(task schemas.Task) bool { return task.UniqueID == name && task.Round == round })
			return at >= 0 && must(s.call(http.MethodPost, "/api/tasks/claim", "", map[string]any{"task_id": tasks[at].ID}, &view))(t) == http.StatusOK
		})
		return view.Task, view.Sample.Findings
	}
	submit := func(task schemas.Task, objects []schemas.Object) (int, []schemas.Finding) {
		t.Helper()
		var answer struct{ Findings []schemas.Finding }
		body := map[string]any{"version": task.Version, "annotation": schemas.Annotation{Objects: objects}}
		status := must(s.call(http.MethodPost, "/api/tasks/"+task.ID+"/submit", "", body, &answer))(t)
		return status, answer.Findings
	}
	of := func(found []schemas.Finding, want schemas.FindingType) (out []schemas.Finding) {
		return slices.DeleteFunc(slices.Clone(found), func(f schemas.Finding) bool { return f.Type != want })
	}
	// cars are three in a row, in an image that is so many times as large as the half one.
	cars := func(scale float32) (out []schemas.Object) {
		for n := range 3 {
			x := scale * float32(20+80*n)
			out = append(out, schemas.Object{ID: "o" + strconv.Itoa(n+1), Class: "car", Box: geometry.Box{X1: x, Y1: 20 * scale, X2: x + 60*scale, Y2: 80 * scale}})
		}
		return out
	}

	i.ok(t, "push", filepath.Join(dir, "whole.jpg"), "--dataset", "street")
	whole, _ := claim("whole.jpg", 1)
	if status, asked := submit(whole, cars(2)); status != http.StatusOK {
		t.Fatalf("the first: HTTP status %d, %+v", status, asked)
	}
	labeled(t, s, "street", 1)
	i.ok(t, "push", filepath.Join(dir, "half.jpg"), "--dataset", "street")
	half, found := claim("half.jpg", 1)
	if groups := s.sql(t, "SELECT uniqExact(group_id) FROM labels WHERE dataset = 'street' UNION ALL SELECT uniqExact(`group`) FROM sample_latest WHERE dataset = 'street'"); !slices.Equal(groups, []string{"1", "1"}) {
		t.Fatalf("groups of near duplicates %v", groups)
	}
	// asked submits labels of which one is there twice, so that they never count, until there is a finding of a type.
	asked := func(task schemas.Task, objects []schemas.Object, want schemas.FindingType) (found []schemas.Finding) {
		t.Helper()
		twice := objects[len(objects)-1]
		twice.ID = "o9"
		eventually(t, patience, "a submission is asked about "+string(want), func() bool {
			status, all := submit(task, append(slices.Clip(objects), twice))
			if status != http.StatusUnprocessableEntity {
				t.Fatalf("HTTP status %d", status)
			}
			found = of(all, want)
			return len(found) > 0
		})
		return found
	}
	third := cars(1)[2].Box
	missing := func(f schemas.Finding) bool {
		return f.ObjectID == "" && f.FixClass == "car" && f.Fix.IoU(third) > 0.95 && strings.Contains(f.Why, "whole.jpg")
	}
	if f := of(found, schemas.FindingTwin); len(f) != 3 || !slices.ContainsFunc(f, missing) {
		t.Fatalf("the second comes without the labels of the first: %+v", f)
	}
	if status, asked := submit(half, cars(1)); status != http.StatusOK {
		t.Fatalf("the second with all labels of the first: HTTP status %d, %+v", status, asked)
	}
	labeled(t, s, "street", 2)

	var table bytes.Buffer
	w := csv.NewWriter(&table)
	_ = w.Write([]string{"unique_id", "object_id", "epoch", "step", "loss", "correct", "margin", "p_true"})
	for epoch := range 6 {
		for n := range 6 {
			cells := []string{"0.1", "true", "4", "0.9"}
			if n == 0 {
				cells = []string{"3.5", "false", "-3", "0.03"}
			}
			_ = w.Write(append([]string{[]string{"whole.jpg", "half.jpg"}[n/3], "o" + strconv.Itoa(n%3+1), strconv.Itoa(epoch), strconv.Itoa(6*epoch + n)}, cells...))
		}
	}
	w.Flush()
	path := filepath.Join(t.TempDir(), "run.csv")
	if err := os.WriteFile(path, table.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	i.ok(t, "losses", "push", path, "--run", "run7", "--dataset", "street", "--model", "theirs@1")
	again, _ := claim("whole.jpg", 2)
	work := cars(2)
	work[0].Box.X2 -= 4
	if f := asked(again, work, schemas.FindingLoss); len(f) != 1 || f[0].ObjectID != "o1" || f[0].Score < 0.9 || !strings.Contains(f[0].Why, "run7") || !strings.Contains(f[0].Why, "6 epochs") {
		t.Errorf("by the losses %+v", f)
	}
	// The losses are of another label than a truck, and the near duplicate has a car there.
	work[0].Class = "truck"
	if f := asked(again, work, schemas.FindingTwin); !slices.ContainsFunc(f, func(f schemas.Finding) bool { return f.ObjectID == "o1" && f.FixClass == "car" }) {
		t.Errorf("by the near duplicate %+v", f)
	}
	if status, all := submit(again, work); status != http.StatusUnprocessableEntity || len(of(all, schemas.FindingLoss)) != 0 {
		t.Errorf("a truck: HTTP status %d, %+v", status, all)
	}
}
