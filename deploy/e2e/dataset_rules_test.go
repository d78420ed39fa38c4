package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gleaner/connectors/formats/voc"
	"gleaner/deploy/e2e/realdata"
	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/rules"
)

const bccdRules = `dataset: bccd
objects:
  - class: RBC
    min_size: {width: 20, height: 20}
    truncation: mark
    severity: warn
  - class: WBC
    min_size: {width: 40, height: 40}
  - class: Platelets
    min_size: {width: 8, height: 8}
predicates:
  - name: platelet
    when: object.class == "Platelets" && object.area > 0.05 * image.width * image.height
    message: A platelet is never that large.
`

const raccoonRules = `dataset: raccoon
objects:
  - class: raccoon
    canonical: animal
    attributes: [{name: pose, values: [sits, stands]}]
image:
  - name: few
    when: objects.size() > 3
    message: So many raccoons are rare.
    severity: warn
`

// some copies the first images of a set of real data with their Pascal VOC annotations, and returns the folder and the labels.
func some(t *testing.T, set string, count int) (dir string, labels map[string][]schemas.Object) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(realdata.Need(t, set, "images"), "*.jpg"))
	if err != nil || len(files) < count {
		t.Fatalf("%s: %d images, %v", set, len(files), err)
	}
	dir, labels = t.TempDir(), map[string][]schemas.Object{}
	for _, file := range files[:count] {
		name := filepath.Base(file)
		if err := os.Symlink(file, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(filepath.Join(filepath.Dir(filepath.Dir(file)), "annotations", strings.TrimSuffix(name, ".jpg")+".xml"))
		if err != nil {
			t.Fatal(err)
		}
		a, err := voc.Read(f)
		if f.Close(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for i, o := range a.Objects {
			o.ID, o.Box = fmt.Sprintf("t%d", i+1), o.Box.Clip(a.W, a.H)
			labels[name] = append(labels[name], o)
		}
	}
	return dir, labels
}

// refusal is what the API answers to a submission that it does not take.
type refusal struct {
	Error      string
	Violations []schemas.Violation
}

// worker claims and submits tasks of one dataset.
type worker struct {
	*instance
	tasks []schemas.Task
}

// submit claims the next task, if it is not claimed already, and submits objects for it; a task that is done is dropped.
func (w *worker) submit(t *testing.T, objects []schemas.Object) (status int, no refusal) {
	t.Helper()
	var view struct{ Task schemas.Task }
	if status := must(w.call(http.MethodPost, "/api/tasks/claim", "", map[string]any{"task_id": w.tasks[0].ID}, &view))(t); status != http.StatusOK {
		t.Fatalf("claim %s: HTTP status %d", w.tasks[0].ID, status)
	}
	body := map[string]any{"version": view.Task.Version, "annotation": schemas.Annotation{Objects: append([]schemas.Object{}, objects...)}} // none is [], not null
	status = must(w.call(http.MethodPost, "/api/tasks/"+view.Task.ID+"/submit", "", body, &no))(t)
	if status == http.StatusOK {
		w.tasks = w.tasks[1:]
	}
	return status, no
}

// wanted are the classes that the page offers for the next task by the rules of its dataset.
func (w *worker) wanted(t *testing.T) (classes []string) {
	t.Helper()
	var view struct{ Wanted []schemas.ObjectRule }
	if status := must(w.call(http.MethodGet, "/api/tasks/"+w.tasks[0].ID, "", nil, &view))(t); status != http.StatusOK {
		t.Fatalf("task %s: HTTP status %d", w.tasks[0].ID, status)
	}
	for _, o := range view.Wanted {
		classes = append(classes, o.Class)
	}
	return classes
}

// findings waits for lint's look at what was submitted for a task, and returns the sentences of the findings of rules.
func (w *worker) findings(t *testing.T, task schemas.Task) (why []string) {
	t.Helper()
	eventually(t, patience, "lint has seen the submission", func() bool {
		var answer struct{ Sample schemas.Sample }
		status := must(w.call(http.MethodGet, "/api/samples/"+task.SampleID.String(), "", nil, &answer))(t)
		if status != http.StatusOK || answer.Sample.Stage != schemas.StageLinted || answer.Sample.Rank != schemas.RankHuman {
			return false
		}
		why = nil
		for _, f := range answer.Sample.Findings {
			if f.Type == schemas.FindingRule {
				why = append(why, f.ObjectID+": "+f.Why)
			}
		}
		return true
	})
	return why
}

// TestDatasetRules runs two datasets with rules of their own in one system, which come into force while it runs.
func TestDatasetRules(t *testing.T) {
	i := install(t)
	files := map[string]string{}
	for name, text := range map[string]string{"bccd": bccdRules, "raccoon": raccoonRules, "lifted": "dataset: bccd\n", "broken": strings.Replace(bccdRules, "object.area", "object.aera", 1)} {
		files[name] = filepath.Join(t.TempDir(), name+".yaml")
		if err := os.WriteFile(files[name], []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	blood, cells := some(t, "bccd", 12)
	forest, raccoons := some(t, "raccoon", 8)
	s := i.up(t)
	i.ok(t, "push", blood, "--dataset", "bccd")
	i.ok(t, "push", forest, "--dataset", "raccoon")
	open := func(dataset string, n int) *worker {
		w := &worker{instance: s}
		eventually(t, patience, fmt.Sprintf("%d tasks of %s", n, dataset), func() bool {
			w.tasks = must(s.tasks(dataset, schemas.TaskOpen))(t)
			return len(w.tasks) >= n
		})
		return w
	}
	doctor, ranger := open("bccd", 5), open("raccoon", 4)
	odd := []schemas.Object{{ID: "o1", Class: "raccoon", Box: geometry.Box{X1: 10, Y1: 10, X2: 60, Y2: 60}}}

	// Without rules everything passes.
	if got := doctor.wanted(t); got != nil {
		t.Errorf("before there are rules the page wants %v", got)
	}
	if status, no := doctor.submit(t, odd); status != http.StatusOK {
		t.Errorf("before there are rules: HTTP status %d, %+v", status, no)
	}

	// What cannot be right is not applied, in part neither.
	_, errs, code := i.run(t, "dataset", "apply", files["raccoon"], files["broken"])
	if code != 1 || !strings.Contains(errs, "broken.yaml: [") || !strings.Contains(errs, `predicate "platelet": line 1, column 38 of the expression: undefined field 'aera'`) {
		t.Errorf("exit code %d\n%s", code, errs)
	}
	if _, errs, code := i.run(t, "dataset", "show", "raccoon"); code != 1 || !strings.Contains(errs, "no rules of raccoon") {
		t.Errorf("a part of what was refused is in force: exit code %d\n%s", code, errs)
	}

	if out := i.ok(t, "dataset", "diff", files["bccd"]); !strings.Contains(out, "no rules in force") || !strings.Contains(out, "+ class WBC") {
		t.Errorf("diff before anything is in force:\n%s", out)
	}
	if out := i.ok(t, "dataset", "apply", files["bccd"], files["raccoon"]); strings.Count(out, ": in force\n") != 2 {
		t.Errorf("apply:\n%s", out)
	}
	if out := i.ok(t, "dataset", "apply", files["bccd"]); !strings.Contains(out, "nothing changed") {
		t.Errorf("apply again:\n%s", out)
	}
	if out := i.ok(t, "dataset", "diff", files["bccd"]); !strings.Contains(out, "what is in force") {
		t.Errorf("diff with what is in force:\n%s", out)
	}
	if out := i.ok(t, "dataset", "show", "bccd"); !strings.Contains(out, "width 40 px, height 40 px") || !strings.Contains(out, "A platelet is never that large.") {
		t.Errorf("show:\n%s", out)
	}
	written, err := rules.Read([]byte(i.ok(t, "dataset", "show", "raccoon", "--yaml")))
	if err != nil {
		t.Fatal(err)
	}
	if entry := decode[schemas.DatasetRules](t, i, "dataset", "show", "raccoon"); entry.Kind != schemas.KindRules || entry.Version != must(written.Rules().Identified(entry.At))(t).Version {
		t.Errorf("show --yaml is not %+v", entry)
	}

	// The running system obeys, each dataset its own rules.
	eventually(t, patience, "the page knows the rules of both datasets", func() bool {
		return len(doctor.wanted(t)) == 3 && len(ranger.wanted(t)) == 1
	})
	status, no := doctor.submit(t, odd)
	if status != http.StatusUnprocessableEntity || len(no.Violations) != 1 || no.Violations[0].Rule != "class" || no.Violations[0].ObjectID != "o1" ||
		!strings.Contains(no.Error, "raccoon is none of the classes wanted: RBC, WBC, Platelets.") {
		t.Errorf("a raccoon among blood cells: HTTP status %d, %+v", status, no)
	}
	odd[0].Class = "WBC"
	odd[0].Box.X2 = 40
	if status, no = doctor.submit(t, odd); status != http.StatusUnprocessableEntity || len(no.Violations) != 1 || no.Violations[0].Rule != "min_size" {
		t.Errorf("a small WBC: HTTP status %d, %+v", status, no)
	}
	odd[0].Class, odd[0].Box = "Platelets", geometry.Box{X1: 10, Y1: 10, X2: 210, Y2: 210}
	if status, no = doctor.submit(t, odd); status != http.StatusUnprocessableEntity || len(no.Violations) != 1 || no.Violations[0].Message != "A platelet is never that large." {
		t.Errorf("a large platelet: HTTP status %d, %+v", status, no)
	}
	odd[0].Box = geometry.Box{X1: 10, Y1: 10, X2: 60, Y2: 60}
	if status, no = ranger.submit(t, odd); status != http.StatusUnprocessableEntity || len(no.Violations) != 1 || no.Violations[0].Message != "Platelets is none of the classes wanted: raccoon." {
		t.Errorf("a platelet in the forest: HTTP status %d, %+v", status, no)
	}

	// Real labels pass, and what only warns becomes a finding, where nobody has marked what the file does.
	cutCells := 0
	for range 3 {
		task := doctor.tasks[0]
		objects := slices.Clone(cells[task.UniqueID])
		cut := 0
		for i, o := range objects {
			if o.Class == "RBC" && (o.Box.X1 < 1 || o.Box.Y1 < 1 || o.Box.X2 > 639 || o.Box.Y2 > 479) {
				if o.Attributes[schemas.AttributeTruncated] != "true" {
					t.Errorf("%s: %s is cut, and its attributes are %v", task.UniqueID, o.ID, o.Attributes)
				}
				cut++
			}
			objects[i].Attributes = nil
		}
		if status, no = doctor.submit(t, objects); status != http.StatusOK {
			t.Fatalf("real labels of %s: HTTP status %d, %+v", task.UniqueID, status, no)
		}
		if why := doctor.findings(t, task); len(why) != cut || cut > 0 && !strings.Contains(why[0], "attribute truncated must be true") {
			t.Errorf("%s: findings %q, want %d about cells that the edge cuts", task.UniqueID, why, cut)
		}
		cutCells += cut
	}
	if cutCells == 0 {
		t.Error("no cell was at the edge: the test shows nothing")
	}
	task := ranger.tasks[0]
	if status, no = ranger.submit(t, raccoons[task.UniqueID]); status != http.StatusOK {
		t.Fatalf("real labels of %s: HTTP status %d, %+v", task.UniqueID, status, no)
	}
	if why := ranger.findings(t, task); len(why) != 0 {
		t.Errorf("%s: findings %q", task.UniqueID, why)
	}
	var crowd []schemas.Object
	for n := range 4 {
		x := float32(20 * n)
		crowd = append(crowd, schemas.Object{ID: fmt.Sprintf("o%d", n), Class: "raccoon", Box: geometry.Box{X1: x, Y1: 5, X2: x + 18, Y2: 60}, Attributes: map[string]string{"pose": "sits"}})
	}
	task = ranger.tasks[0]
	if status, no = ranger.submit(t, crowd); status != http.StatusOK {
		t.Fatalf("four raccoons: HTTP status %d, %+v", status, no)
	}
	if why := ranger.findings(t, task); len(why) != 1 || why[0] != ": So many raccoons are rare." {
		t.Errorf("four raccoons: findings %q", why)
	}
	crowd[0].Attributes["pose"] = "flies"
	if status, no = ranger.submit(t, crowd); status != http.StatusUnprocessableEntity || len(no.Violations) != 2 || no.Violations[0].Rule != "attribute" || no.Violations[1].Rule != "few" {
		t.Errorf("a raccoon that flies: HTTP status %d, %+v", status, no)
	}

	if out := i.ok(t, "dataset", "show", "raccoon"); strings.Contains(out, "also registered") {
		t.Errorf("show of rules that never changed:\n%s", out)
	}

	// Rules are lifted as they came; versions of the labels have nothing to do with them.
	if out := i.ok(t, "dataset", "diff", files["lifted"]); !strings.Contains(out, "- class RBC") || !strings.Contains(out, "- predicate platelet") {
		t.Errorf("diff with what lifts the rules:\n%s", out)
	}
	i.ok(t, "dataset", "apply", files["lifted"])
	eventually(t, patience, "the rules are lifted", func() bool { return len(doctor.wanted(t)) == 0 })
	odd[0].Class = "raccoon"
	if status, no := doctor.submit(t, odd); status != http.StatusOK {
		t.Errorf("after the rules were lifted: HTTP status %d, %+v", status, no)
	}
	if out := i.ok(t, "dataset", "show", "bccd"); !strings.Contains(out, "every class is wanted") || strings.Count(out, "also registered: bccd@") != 1 {
		t.Errorf("show of lifted rules:\n%s", out)
	}
	labeled(t, s, "raccoon", 2)
	i.ok(t, "dataset", "version", "raccoon")
	if list := decode[[]schemas.DatasetVersion](t, i, "dataset", "list"); len(list) != 1 || list[0].Dataset != "raccoon" {
		t.Errorf("versions %+v", list)
	}
}
