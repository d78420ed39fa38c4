package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
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

const acceptanceRules = `dataset: street
target_quality: 0.8
audit_share: 0.3
objects:
  - class: car
  - class: bus
`

// TestAutomaticAcceptance takes a dataset with a target quality from nothing to automatic acceptance by a simulated labeler, checks
// that audits look like any other task, that a restart changes nothing, and that a burst of errors withdraws acceptance and
// brings what was accepted back to people.
func TestAutomaticAcceptance(t *testing.T) {
	i := install(t)
	s := i.up(t)
	conn := s.connect(t)
	rules := filepath.Join(t.TempDir(), "street.yaml")
	if err := os.WriteFile(rules, []byte(acceptanceRules), 0o644); err != nil {
		t.Fatal(err)
	}
	i.ok(t, "dataset", "apply", rules)
	sent := 0
	send := func(n int) {
		for range n {
			appendLinted(t, conn, sent)
			sent++
		}
	}
	acceptance := func() schemas.Acceptance {
		t.Helper()
		return decode[schemas.Acceptance](t, i, "dataset", "accept", "street")
	}
	work := func(class string) (done int) {
		t.Helper()
		for _, task := range must(s.tasks("street", schemas.TaskOpen))(t) {
			if !must(s.label(task, class))(t) {
				t.Fatalf("task %s is not taken", task.ID)
			}
			done++
		}
		return done
	}
	audits := func(n int) {
		t.Helper()
		eventually(t, patience, fmt.Sprint(n, " audits are stored"), func() bool { return acceptance().TotalAudits == n })
	}
	counted := func() string {
		return strings.Join(s.sql(t, "SELECT countIf(rank = 'automatic'), countIf(rank = 'human') FROM label_latest WHERE dataset = 'street'"), "")
	}

	if a := acceptance(); a.State != schemas.AcceptanceCollecting || a.AtLeast != 14 || a.Needed < 100 {
		t.Fatalf("before the first audit: %+v", a)
	}
	send(160)
	eventually(t, patience, "every sample has a task", func() bool { return len(must(s.tasks("street", schemas.TaskOpen))(t)) == 160 })
	ordinary := shape(t, s, must(s.tasks("street", schemas.TaskOpen))(t)[0])
	work("car") // as the model has it
	audits(160)
	if a := acceptance(); a.State != schemas.AcceptanceOn || a.Bound > .2 || a.TotalWrong != 0 || a.Automatic != 0 {
		t.Fatalf("after 160 audits without an error: %+v", a)
	}
	if text := i.ok(t, "dataset", "accept", "street"); !strings.Contains(text, "accepting") || !strings.Contains(text, "at most") {
		t.Errorf("for people:\n%s", text)
	}
	var answer struct{ Datasets []schemas.Acceptance }
	eventually(t, patience, "the running system accepts", func() bool {
		status, err := s.call(http.MethodGet, "/api/acceptance", "", nil, &answer)
		return err == nil && status == http.StatusOK && len(answer.Datasets) == 1 && answer.Datasets[0].TotalAudits == 160
	})
	if got := answer.Datasets[0]; got.State != schemas.AcceptanceOn || len(got.History) != 160 || got.Dataset != "street" {
		t.Errorf("the landing page is told %+v", got)
	}

	send(100)
	idle(t, conn)
	drawn := must(s.tasks("street", schemas.TaskOpen))(t)
	if n := len(drawn); n < 10 || n > 60 {
		t.Fatalf("%d of 100 images are drawn, want some 30", n)
	}
	eventually(t, patience, "the others are labels", func() bool { return counted() == fmt.Sprintf("%d\t160", 100-len(drawn)) })
	for _, task := range drawn {
		if got := shape(t, s, task); !slices.Equal(got, ordinary) {
			t.Fatalf("an audit shows\n%v\nand an ordinary task\n%v", got, ordinary)
		}
	}

	if code := s.stop(t); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	s = i.up(t)
	conn = s.connect(t)
	eventually(t, patience, "it accepts again after a restart", func() bool {
		_, err := s.call(http.MethodGet, "/api/acceptance", "", nil, &answer)
		return err == nil && len(answer.Datasets) == 1 && answer.Datasets[0].State == schemas.AcceptanceOn
	})

	accepted := 100 - len(drawn)
	eventually(t, patience, "the desk is back", func() bool { return len(must(s.tasks("street", schemas.TaskOpen))(t)) == len(drawn) })
	if n := work("bus"); n != len(drawn) { // all of them were wrong
		t.Fatalf("%d tasks are done, want %d", n, len(drawn))
	}
	audits(160 + len(drawn))
	a := acceptance()
	if a.State != schemas.AcceptanceWithdrawn || len(a.Withdrawals) != 1 || a.TotalWrong != len(drawn) || a.Automatic != uint64(accepted) {
		t.Fatalf("after errors only: %+v", a)
	}
	eventually(t, patience, "what was accepted goes back to people", func() bool { return len(must(s.tasks("street", schemas.TaskOpen))(t)) == accepted })
	for _, task := range must(s.tasks("street", schemas.TaskOpen))(t) {
		if !strings.Contains(task.Reason, "shortly before audits") {
			t.Fatalf("recalled for the reason %q", task.Reason)
		}
	}
	work("bus")
	eventually(t, patience, "all labels are people's", func() bool { return counted() == "0\t260" })
	send(20)
	eventually(t, patience, "nothing is accepted any more", func() bool { return len(must(s.tasks("street", schemas.TaskOpen))(t)) == 20 })
	if a := acceptance(); a.TotalAudits != 160+len(drawn) {
		t.Errorf("what was recalled counts as an audit: %+v", a)
	}
	removed := i.ok(t, "erase", "0", "--dataset", "street")
	if a := acceptance(); !strings.Contains(removed, "rows of audits") || a.TotalAudits != 159+len(drawn) {
		t.Errorf("after an erasure %+v\n%s", a, removed)
	}
}

// appendLinted lets a sample come out of lint, with one car that a model has seen.
func appendLinted(t *testing.T, conn *wire.Connections, n int) {
	t.Helper()
	id := schemas.NewSampleID("street", fmt.Sprint(n), schemas.Hash{})
	now := time.Now().UTC().Truncate(time.Microsecond)
	car := schemas.Object{ID: "o1", Class: "car", Score: .5 + float32(n%40)/100, Source: "m@1", Box: geometry.Box{X1: 10, Y1: 10, X2: 60, Y2: 50}}
	sample := schemas.Sample{
		ID: id, Group: id, Dataset: "street", UniqueID: fmt.Sprint(n), Task: "detect", Stage: schemas.StageLinted, Rank: schemas.RankAutomatic,
		Image:   schemas.ImageRef{SHA256: schemas.Hash{byte(n), byte(n >> 8)}, Size: 10, MediaType: "image/jpeg", W: 320, H: 240},
		Objects: []schemas.Object{car}, Proposals: []schemas.Object{car},
		Stamps: []schemas.Stamp{{Step: "prelabel", Model: "m@1", At: now}, {Step: "lint", At: now}},
	}
	value, err := schemas.EncodeSample(&sample)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Kafka.Append(t.Context(), schemas.Record{Topic: schemas.Linted, Key: []byte(id.String()), Value: value}); err != nil {
		t.Fatal(err)
	}
}

// shape is every field that the page gets of a task, and what it says of why: all but the values that differ from image to image.
func shape(t *testing.T, s *instance, task schemas.Task) (fields []string) {
	t.Helper()
	var view any
	if status, err := s.call(http.MethodGet, "/api/tasks/"+task.ID, "", nil, &view); err != nil || status != http.StatusOK {
		t.Fatalf("HTTP status %d, %v", status, err)
	}
	found := map[string]bool{"reason " + task.Reason: true}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for key, inner := range v {
				walk(path+"."+key, inner)
			}
		case []any:
			for _, inner := range v {
				walk(path+"[]", inner)
			}
		default:
			found[path] = true
		}
	}
	walk("", view)
	raw, err := json.Marshal(view)
	if err != nil {
		t.Fatal(err)
	}
	if text := strings.ToLower(string(raw)); strings.Contains(text, "audit") || strings.Contains(text, "draw") || strings.Contains(text, "probability") {
		t.Fatalf("the page can tell an audit: %s", text)
	}
	return slices.Sorted(maps.Keys(found))
}
