package e2e

import (
	"cmp"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"gleaner/deploy/e2e/realdata"
	"gleaner/schemas"
	"gleaner/stages/lint/learned"
)

// TestAskedBeforeItCounts plants an error into what is submitted of real photos, a label that is left out although the model plainly
// sees the object: the submission is answered with that, and counts once the label is added, or left out for a reason. What became
// of the finding is kept.
func TestAskedBeforeItCounts(t *testing.T) {
	photos, err := filepath.Glob(filepath.Join(realdata.Need(t, "coco128", "images"), "*.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, photo := range photos[:16] {
		if err := os.Symlink(photo, filepath.Join(dir, filepath.Base(photo))); err != nil {
			t.Fatal(err)
		}
	}
	i := install(t)
	s := i.up(t)
	i.ok(t, "model", "add", realdata.Need(t, "models", "yolox_nano.onnx"), "--classes", realdata.Need(t, "models", "coco.names"), "--serve")
	s.kill() // the model serves from the first photo on
	s = i.up(t)
	i.ok(t, "push", dir, "--dataset", "street")
	var tasks []schemas.Task
	eventually(t, patience, "all photos are on the desk", func() bool {
		tasks = must(s.tasks("street", schemas.TaskOpen))(t)
		return len(tasks) == 16
	})

	type view struct {
		Task   schemas.Task
		Sample schemas.Sample
	}
	fixed, kept, unasked := 0, 0, 0
	for _, task := range tasks {
		var v view
		if status := must(s.call(http.MethodPost, "/api/tasks/claim", "", map[string]any{"task_id": task.ID}, &v))(t); status != http.StatusOK {
			t.Fatalf("claim: HTTP status %d", status)
		}
		if len(v.Sample.Candidates) != 0 {
			t.Fatal("the page is sent what is for lint alone")
		}
		objects := v.Sample.Objects
		if len(objects) == 0 {
			continue
		}
		plain := slices.MaxFunc(objects, func(a, b schemas.Object) int { return cmp.Compare(a.Score, b.Score) })
		if plain.Score < 0.8 || slices.ContainsFunc(objects, func(o schemas.Object) bool { return o.ID != plain.ID && o.Box.IoU(plain.Box) > 0 }) {
			continue // the model is not sure, or another label might be meant
		}
		work := schemas.Annotation{Objects: slices.DeleteFunc(slices.Clone(objects), func(o schemas.Object) bool { return o.ID == plain.ID })}
		submit := func() (int, []schemas.Finding) {
			t.Helper()
			var answer struct{ Findings []schemas.Finding }
			status := must(s.call(http.MethodPost, "/api/tasks/"+task.ID+"/submit", "", map[string]any{"version": v.Task.Version, "annotation": work}, &answer))(t)
			return status, answer.Findings
		}
		status, asked := submit()
		at := slices.IndexFunc(asked, func(f schemas.Finding) bool { return f.Type == schemas.FindingMissing && f.Box.IoU(plain.Box) > 0.5 })
		if status == http.StatusOK {
			unasked++ // lint is not sure enough to ask
			continue
		}
		if status != http.StatusUnprocessableEntity || at < 0 || asked[at].Class != plain.Class || asked[at].Fix == nil {
			t.Fatalf("%s without a %s of score %.2f: HTTP status %d, findings %+v", task.UniqueID, plain.Class, plain.Score, status, asked)
		}
		var now view
		if must(s.call(http.MethodGet, "/api/tasks/"+task.ID, "", nil, &now))(t); now.Task.State != schemas.TaskClaimed || now.Task.Version != v.Task.Version {
			t.Fatalf("%s counts already: %+v", task.UniqueID, now.Task)
		}
		for n, f := range asked {
			if n == at && fixed <= kept {
				work.Objects = append(work.Objects, schemas.Object{ID: "h1", Class: f.Class, Box: *f.Fix})
			} else {
				work.Overrides = append(work.Overrides, f.Settle("it is a statue"))
			}
		}
		if status, asked := submit(); status != http.StatusOK {
			t.Fatalf("%s, settled: HTTP status %d, findings %+v", task.UniqueID, status, asked)
		}
		if fixed <= kept {
			fixed++
		} else {
			kept++
		}
	}
	if kept == 0 || unasked > fixed+kept {
		t.Fatalf("%d fixed, %d kept, %d not asked about", fixed, kept, unasked)
	}
	labeled(t, s, "street", fixed+kept+unasked)
	conn := s.connect(t)
	if last, ok, err := conn.DB.Sample(t.Context(), tasks[0].SampleID); err != nil || !ok || len(last.Candidates) != 1 || len(last.Candidates[0].Cells) == 0 {
		t.Errorf("the catalog has candidates %+v of a sample that it knows: %v, %v", last.Candidates, ok, err)
	}
	planted := func(outcome schemas.Judged) []string {
		return s.sql(t, "SELECT outcome, reason FROM judgment_all WHERE type = 'missing' AND score >= 0.3 AND outcome = '"+string(outcome)+"'")
	}
	eventually(t, patience, "what became of the findings is kept", func() bool {
		return len(planted(schemas.JudgedFixed)) >= fixed && len(planted(schemas.JudgedKept)) >= kept
	})
	// Lint has learned of it, while it ran: what people keep is doubted less.
	known := decode[struct{ Findings []learned.Type }](t, i, "dataset", "learned", "street").Findings
	at := slices.IndexFunc(known, func(k learned.Type) bool { return k.Type == schemas.FindingMissing })
	if at < 0 || known[at].Fixed < uint64(fixed) || known[at].Kept < uint64(kept) || known[at].AtHalf == 0.5 {
		t.Fatalf("learned %+v", known)
	}
	eventually(t, patience, "a finding has another score than lint's own", func() bool {
		i.ok(t, "push", dir, "--dataset", "street", "--again") // until the running system has learned, too
		for _, r := range all(t, conn.Kafka, schemas.Linted) {
			sample := must(schemas.DecodeSample(r.Value))(t)
			if slices.ContainsFunc(sample.Findings, func(f schemas.Finding) bool { return f.Prior != 0 && f.Prior != f.Score }) {
				return true
			}
		}
		return false
	})
	if why := planted(schemas.JudgedKept)[0]; why != "kept\tit is a statue" {
		t.Errorf("outcome and reason %q", why)
	}
}
