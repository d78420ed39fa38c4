package humanlabel

// Text scripts: commands and what must come of them. testdata/README.txt says how to write one.

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gleaner/schemas"
)

func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.script")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".script"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s := script{t: t, file: file, clock: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), state: NewState(), restored: NewState()}
			for i, line := range strings.Split(string(text), "\n") {
				s.line = i + 1
				if line, _, _ = strings.Cut(line, "#"); strings.TrimSpace(line) != "" {
					s.run(strings.TrimSpace(line))
				}
			}
		})
	}
}

type script struct {
	t        *testing.T
	file     string
	line     int
	clock    time.Time
	state    *State
	restored *State // goes through a snapshot before every record
}

func (s *script) failf(format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf("%s:%d: %s", s.file, s.line, fmt.Sprintf(format, args...))
}

func (s *script) run(line string) {
	s.t.Helper()
	left, right, _ := strings.Cut(line, "->")
	words := strings.Fields(left)
	switch words[0] {
	case "wait", "back":
		d, err := time.ParseDuration(words[1])
		if err != nil {
			s.failf("%v", err)
		}
		if words[0] == "back" {
			d = -d
		}
		s.clock = s.clock.Add(d)
		return
	case "expect":
		s.expect(words[1], pairs(words[2:]))
		return
	case "raw":
		s.fold([]byte(strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(left), "raw"))), right)
		return
	}
	value, err := json.Marshal(s.command(words[0], schemas.CommandKind(words[1]), words[2:]))
	if err != nil {
		s.failf("%v", err)
	}
	s.fold(value, right)
}

// fold applies one record to both states and compares the outcome with what the script wants.
func (s *script) fold(value []byte, want string) {
	s.t.Helper()
	fields := strings.Fields(want)
	if len(fields) == 0 {
		s.failf("say what must come of it: -> verdict …")
	}
	got, err := s.state.Fold(s.state.offset+1, value)
	if fields[0] == "stops" {
		if err == nil {
			s.failf("the fold goes on: %+v", got)
		}
		return
	}
	if err != nil {
		s.failf("%v", err)
	}
	restored, err := Decode(s.restored.Encode())
	if err != nil {
		s.failf("%v", err)
	}
	s.restored = restored
	again, err := s.restored.Fold(s.restored.offset+1, value)
	if err != nil {
		s.failf("after a snapshot: %v", err)
	}
	if diff := cmp.Diff(got, again); diff != "" {
		s.failf("the outcome is another after a snapshot:\n%s", diff)
	}
	if s.state.Hash() != s.restored.Hash() {
		s.failf("the hash is another after a snapshot")
	}
	verify(s.t, s.state)

	if string(got.Verdict) != fields[0] {
		s.failf("%s (%s), want %s", got.Verdict, got.Reason, fields[0])
	}
	for key, value := range pairs(fields[1:]) {
		switch key {
		case "reason":
			if !strings.Contains(got.Reason, strings.ReplaceAll(value, "_", " ")) {
				s.failf("reason %q, want %q", got.Reason, value)
			}
		case "kept":
			if got.Kept == nil || got.Kept.Key != value {
				s.failf("kept %v, want %s", got.Kept, value)
			}
		case "offset":
			s.equal("offset", fmt.Sprint(got.Offset), value)
		default:
			if got.Task == nil {
				s.failf("no task in the outcome")
			}
			s.equal(key, field(*got.Task, key), value)
		}
	}
}

// expect checks a task (its letter), or the counts of a queue ("queue:name").
func (s *script) expect(what string, want map[string]string) {
	s.t.Helper()
	if queue, ok := strings.CutPrefix(what, "queue:"); ok {
		for _, c := range s.state.Counts() {
			if c.Queue != queue {
				continue
			}
			got := map[string]int{"open": c.Open, "claimed": c.Claimed, "submitted": c.Submitted, "canceled": c.Canceled}
			for key, value := range want {
				s.equal(key, strconv.Itoa(got[key]), value)
			}
			return
		}
		s.failf("no queue %s", queue)
	}
	task, ok := s.state.Task(taskID(what))
	if _, absent := want["absent"]; absent {
		if ok {
			s.failf("task %s is there", what)
		}
		return
	}
	if !ok {
		s.failf("no task %s", what)
	}
	for key, value := range want {
		s.equal(key, field(task, key), value)
	}
}

func (s *script) equal(key, got, want string) {
	s.t.Helper()
	if got != want {
		s.failf("%s is %q, want %q", key, got, want)
	}
}

func field(task schemas.Task, key string) string {
	switch key {
	case "task":
		return task.ID[:1]
	case "state":
		return string(task.State)
	case "version":
		return fmt.Sprint(task.Version)
	case "round":
		return fmt.Sprint(task.Round)
	case "holder":
		return task.Holder
	case "priority":
		return fmt.Sprint(task.Priority)
	case "queue":
		return task.Queue
	case "why":
		return task.Reason
	case "body":
		return task.Body.Key
	case "draft":
		return key0(task.Draft)
	case "result":
		return key0(task.Result)
	case "lease":
		return task.Lease.Format("15:04:05")
	}
	return "no such field: " + key
}

func key0(b *schemas.BlobRef) string {
	if b == nil {
		return ""
	}
	return b.Key
}

// command builds a command from its words.
func (s *script) command(actor string, kind schemas.CommandKind, words []string) schemas.Command {
	s.t.Helper()
	p := pairs(words)
	c := schemas.Command{ID: fmt.Sprintf("line-%d", s.line), Actor: actor, At: s.clock, Genesis: p["log"], Kind: kind}
	if id := p["id"]; id != "" {
		c.ID = id
	}
	if ttl := p["ttl"]; ttl != "" {
		c.NotAfter = s.clock.Add(s.duration(ttl))
	}
	id := taskID(p["task"])
	version := uint64(s.number(p["version"]))
	ref := schemas.BlobRef{Key: p["blob"], Size: 1}
	var body any
	switch kind {
	case schemas.CommandGenesis:
		body = schemas.GenesisBody{Genesis: p["genesis"], Fold: int(s.number(p["fold"]))}
	case schemas.CommandUpgrade:
		body = schemas.UpgradeBody{Fold: int(s.number(p["fold"]))}
	case schemas.CommandCreate:
		body = schemas.CreateBody{
			SampleID: sampleID(p["task"]), Dataset: "street", Task: "detect", Queue: p["queue"], Priority: s.number(p["priority"]),
			Reason: p["why"], Body: ref, Reopen: p["reopen"] == "true", Revision: uint64(s.number(p["revision"])),
		}
	case schemas.CommandClaim:
		claim := schemas.ClaimBody{Queue: p["queue"]}
		if p["task"] != "" {
			claim.TaskID = id
		}
		if p["lease"] != "" {
			claim.Lease = s.duration(p["lease"])
		}
		body = claim
	case schemas.CommandDraft:
		body = schemas.DraftBody{TaskID: id, Version: version, Draft: ref}
	case schemas.CommandSubmit:
		body = schemas.SubmitBody{TaskID: id, Version: version, Annotation: ref}
	case schemas.CommandReprioritize:
		body = schemas.ReprioritizeBody{TaskID: id, Priority: s.number(p["priority"]), Reason: p["why"]}
	case schemas.CommandErase:
		body = schemas.EraseBody{SampleID: sampleID(p["task"])}
	default:
		body = schemas.TaskBody{TaskID: id, Version: version, Reason: p["why"]}
	}
	raw, err := json.Marshal(body)
	if err != nil {
		s.failf("%v", err)
	}
	c.Body = raw
	return c
}

func (s *script) number(v string) float64 {
	if v == "" {
		return 0
	}
	n, err := strconv.ParseFloat(v, 64)
	if err != nil {
		s.failf("%v", err)
	}
	return n
}

func (s *script) duration(v string) time.Duration {
	d, err := time.ParseDuration(v)
	if err != nil {
		s.failf("%v", err)
	}
	return d
}

func pairs(words []string) map[string]string {
	out := map[string]string{}
	for _, w := range words {
		key, value, _ := strings.Cut(w, "=")
		out[key] = value
	}
	return out
}

// sampleID of a script's hex digit: a is aaaa….
func sampleID(letter string) (id schemas.SampleID) {
	if letter != "" {
		id, _ = schemas.ParseSampleID(strings.Repeat(letter, 32))
	}
	return id
}

func taskID(letter string) string { return schemas.TaskID(sampleID(letter), "detect") }

// verify compares everything that the state keeps in step with a count from scratch.
func verify(t *testing.T, s *State) {
	t.Helper()
	counts, tasks, openTasks, held := map[string][len(states)]int{}, digest{}, 0, 0
	for id, task := range s.tasks {
		for ; task != nil; task = task.next {
			if task.sample != id {
				t.Fatalf("task of %v found under %v", task.sample, id)
			}
			c := counts[task.queue]
			c[task.state]++
			counts[task.queue] = c
			tasks.add(task.sum())
			switch task.state {
			case open:
				openTasks++
				if s.queues[task.queue].open.items[task.pos] != task {
					t.Fatalf("task %v is not where it should be in its queue", id)
				}
			case claimed:
				held++
				if s.leases.items[task.pos] != task {
					t.Fatalf("task %v is not where it should be among the leases", id)
				}
				if task.holder == "" || task.lease <= s.now {
					t.Fatalf("task %v is claimed by %q until %d, now is %d", id, task.holder, task.lease, s.now)
				}
			}
		}
	}
	for id := range s.erased {
		tasks.add(erasedSum(id))
		if s.tasks[id] != nil {
			t.Fatalf("sample %v is erased and has a task", id)
		}
	}
	if tasks != s.digest {
		t.Fatal("the digest is not that of the tasks")
	}
	for name, q := range s.queues {
		if q.counts != counts[name] {
			t.Fatalf("queue %s counts %v, want %v", name, q.counts, counts[name])
		}
		openTasks -= len(q.open.items)
		ordered(t, q.open)
	}
	if openTasks != 0 || held != len(s.leases.items) {
		t.Fatalf("%d open tasks too many, %d claimed tasks and %d leases", openTasks, held, len(s.leases.items))
	}
	ordered(t, s.leases)
	var seen digest
	for i, d := range s.seen.order {
		seen.add(d.sum(s.seen.first + uint64(i)))
		if at, ok := s.seen.byKey[d.key]; !ok || at != s.seen.first+uint64(i) {
			t.Fatal("a remembered command is not found")
		}
	}
	if seen != s.seen.sum || len(s.seen.byKey) != len(s.seen.order) {
		t.Fatal("the memory of commands is not in step")
	}
}

func ordered(t *testing.T, r ranking) {
	t.Helper()
	for i := 1; i < len(r.items); i++ {
		if r.before(r.items[i], r.items[(i-1)/2]) {
			t.Fatal("a heap is out of order")
		}
	}
}
