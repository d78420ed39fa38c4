package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gleaner/deploy/wire"
	"gleaner/schemas"
	"gleaner/stages/analysis/decide"
)

const decisionRules = `dataset: street
decisions:
  - {name: wrong, action: review, when: aum < 0.0, persist: 2, by: -aum, message: The trainer argues with it}
  - {name: twice, action: oversample, when: class == "car" && aum > 0.0, factor: 2.0}
  - {name: small, action: distill, when: stability > 0.9 && replay_bytes > 100.0, by: aum, top: 3}
`

// TestDecisions: what a run's losses show leads to what the rules say, after as many evaluations as they want, over a kill -9 in
// between; people, selections, triggers and the tables hear of it. A dry run says it before, and changes nothing.
func TestDecisions(t *testing.T) {
	const count = 6
	i := install(t)
	s := i.up(t)
	i.ok(t, "push", drawn(t, count, 3), "--dataset", "street")
	var tasks []schemas.Task
	eventually(t, patience, "the images are on the desk", func() bool {
		tasks = must(s.tasks("street", schemas.TaskOpen))(t)
		return len(tasks)+len(s.sql(t, "SELECT 1 FROM rejected FINAL")) == count
	})
	for _, task := range tasks {
		if !must(s.label(task, "car"))(t) {
			t.Fatalf("%s is not labeled", task.UniqueID)
		}
	}
	labeled(t, s, "street", len(tasks))
	doubted := tasks[0].UniqueID
	rules, losses := filepath.Join(t.TempDir(), "street.yaml"), filepath.Join(t.TempDir(), "losses.csv")
	if err := os.WriteFile(rules, []byte(decisionRules), 0o644); err != nil {
		t.Fatal(err)
	}
	// push sends the losses of one epoch.
	push := func(epoch int, args ...string) {
		t.Helper()
		table := "unique_id,object_id,epoch,step,loss,correct,margin,p_true\n"
		for n, task := range tasks {
			figures := fmt.Sprintf("0.1,true,%d,0.9", n+1)
			if task.UniqueID == doubted {
				figures = "3.5,false,-3,0.03"
			}
			table += fmt.Sprintf("%s,o1,%d,%d,%s\n", task.UniqueID, epoch, epoch*count, figures)
		}
		if err := os.WriteFile(losses, []byte(table), 0o644); err != nil {
			t.Fatal(err)
		}
		i.ok(t, append([]string{"losses", "push", losses, "--run", "run7", "--dataset", "street"}, args...)...)
	}
	type result struct {
		wire.Decided
		Verdicts []decide.Verdict
	}
	changes := func(r result) (out []string) {
		for _, v := range r.Verdicts {
			out = append(out, fmt.Sprintf("%s %s", v.State.Decision, v.Change))
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	push(0, "--open")
	eventually(t, patience, "the losses are there", func() bool { return len(s.sql(t, "SELECT 1 FROM losses")) == len(tasks) })
	if _, errs, code := i.run(t, "decide", "--dataset", "street", "--run", "run7"); code != 1 || !strings.Contains(errs, "have no decisions") {
		t.Errorf("without rules: exit code %d\n%s", code, errs)
	}
	tried := decode[result](t, i, "decide", "--rules", rules, "--run", "run7", "--dry-run", "--all")
	if got := changes(tried); !slices.Equal(got, []string{"small waits", "twice enters", "wrong waits"}) || tried.Objects != len(tasks) || len(tried.Faults) != 0 {
		t.Errorf("a dry run says %q: %+v", got, tried)
	}
	i.ok(t, "dataset", "apply", rules)
	if n := s.sql(t, "SELECT count() FROM decision_latest"); n[0] != "0" {
		t.Errorf("the dry run left %s states", n[0])
	}
	if got := changes(decode[result](t, i, "decide", "--dataset", "street", "--run", "run7", "--all")); !slices.Equal(got, []string{"small waits", "twice enters", "wrong waits"}) {
		t.Errorf("decided %q", got)
	}

	s.kill()
	s = i.up(t)
	push(1) // which ends the run
	eventually(t, patience, "the doubted sample is back on the desk", func() bool {
		return slices.ContainsFunc(must(s.tasks("street", schemas.TaskOpen))(t), func(task schemas.Task) bool {
			return task.UniqueID == doubted && task.Round == 2 && strings.HasPrefix(task.Reason, "The trainer argues with it (aum -3)")
		})
	})
	if n := len(must(s.tasks("street", schemas.TaskOpen))(t)); n != 1 {
		t.Errorf("%d tasks are open, want the doubted one", n)
	}
	want := []string{"small\ttrue\t1", fmt.Sprintf("twice\ttrue\t%d", len(tasks)-1), "wrong\ttrue\t1"}
	if got := s.sql(t, "SELECT decision, active, count() FROM decision_latest GROUP BY ALL ORDER BY ALL"); !slices.Equal(got, want) {
		t.Errorf("in force %q, want %q", got, want)
	}
	if got := s.sql(t, "SELECT kind, picks FROM selections FINAL WHERE run_id = 'run7' AND selection_id LIKE '%/run7/2/%' ORDER BY kind"); !slices.Equal(got, []string{fmt.Sprintf("oversample\t%d", len(tasks)-1), "review\t1"}) {
		t.Errorf("selections %q", got)
	}
	conn := s.connect(t)
	eventually(t, patience, "what people were asked is taken back, and what is in force stands", func() bool {
		stands := map[string]bool{}
		for _, r := range all(t, conn.Kafka, schemas.Selections) {
			stands[string(r.Key)] = r.Value != nil
		}
		maps.DeleteFunc(stands, func(_ string, stands bool) bool { return !stands })
		return len(stands) == 1 && stands["street/oversample"]
	})
	var triggers []schemas.Trigger
	for _, r := range all(t, conn.Kafka, schemas.Triggers) {
		var x schemas.Trigger
		if err := json.Unmarshal(r.Value, &x); err != nil {
			t.Fatal(err)
		}
		triggers = append(triggers, x)
	}
	if len(triggers) != 1 || triggers[0].Class != "car" || triggers[0].Kind != "distill" || triggers[0].Evidence["stability"] != 1 || triggers[0].Evidence["objects"] != float64(len(tasks)) {
		t.Errorf("triggers %+v", triggers)
	}
	if text := i.ok(t, "decide", "--dataset", "street", "--dry-run", "--all"); !strings.Contains(text, "review      stays") || !strings.Contains(text, "oversample: 0 enter, "+fmt.Sprint(len(tasks)-1)+" stay") {
		t.Errorf("for people:\n%s", text)
	}
	scores := filepath.Join(t.TempDir(), "scores.parquet")
	i.ok(t, "export", "--scores", "run7", "--out", scores)
	if info, err := os.Stat(scores); err != nil || info.Size() < 1000 {
		t.Errorf("exported %v, %v", info, err)
	}
	exported := filepath.Join(t.TempDir(), "losses.parquet")
	i.ok(t, "export", "--losses", "run7", "--out", exported)
	if again := decode[schemas.Run](t, i, "losses", "push", exported, "--open"); again.RunID != "run7" || again.Rows != uint64(2*len(tasks)) || again.Dataset != "street" {
		t.Errorf("pushed what was exported: %+v", again)
	}
	if text := i.ok(t, "query", "decisions", "--param", "dataset=street"); !strings.Contains(text, "oversample") {
		t.Errorf("query:\n%s", text)
	}
}
