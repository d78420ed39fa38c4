package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gleaner/schemas"
)

// TestKilledSystem kills the whole system with -9 twice, once while images come in and flow, once while people also submit,
// then starts it again and lets it finish. What was acknowledged is there: each image once, each submission once.
func TestKilledSystem(t *testing.T) {
	t.Parallel()
	const dataset, count = "crash", 48
	i := install(t)
	dir := drawn(t, count, 3)
	w := &producer{dataset: dataset, dir: dir, names: names(t, dir), accepted: map[string]bool{}, submitted: map[string]bool{}}

	// what must have happened before each kill
	for _, reached := range []func() bool{
		func() bool { acks, _ := w.progress(); return acks >= 12 },
		func() bool { acks, submits := w.progress(); return acks >= 24 && submits >= 5 },
	} {
		s := i.up(t)
		working := w.work(s)
		eventually(t, patience, "images and submissions before the kill", reached)
		s.kill()
		s.orphans(t)
		working.Wait()
		if acks, _ := w.progress(); acks == count {
			t.Log("everything was acknowledged before the kill: the kill hit the flow alone")
		}
	}
	s := i.up(t)
	conn := s.connect(t)
	working := w.work(s)
	eventually(t, patience, "all images acknowledged and done with", func() bool {
		tasks, err := s.tasks(dataset, schemas.TaskSubmitted)
		if err != nil {
			t.Fatal(err)
		}
		acks, _ := w.progress()
		return acks == count && len(tasks)+len(s.sql(t, "SELECT sample_id FROM rejected FINAL WHERE dataset = 'crash'")) == count
	})
	w.stop.Store(s, true)
	working.Wait()
	idle(t, conn)

	// Every acknowledged image is on raw, and each ended once: on the desk or among the rejects.
	raw := map[string]int{}
	for _, r := range all(t, conn.Kafka, schemas.Raw) {
		raw[string(r.Key)]++
	}
	for name := range w.accepted {
		if raw[name] == 0 {
			t.Errorf("image %s was acknowledged and is not on raw", name)
		}
	}
	tasks := must(s.tasks(dataset, ""))(t)
	var ended []string
	perSample := map[schemas.SampleID]int{}
	for _, task := range tasks {
		perSample[task.SampleID]++
		ended = append(ended, task.UniqueID)
		if task.State != schemas.TaskSubmitted || perSample[task.SampleID] > 1 {
			t.Errorf("task %s (%s) is %s, number %d of its sample", task.ID, task.UniqueID, task.State, perSample[task.SampleID])
		}
	}
	ended = append(ended, s.sql(t, "SELECT unique_id FROM rejected FINAL WHERE dataset = 'crash'")...)
	if slices.Sort(ended); !slices.Equal(ended, w.names) {
		t.Errorf("%d images ended on the desk or rejected, want each of the %d once:\n%v", len(ended), count, ended)
	}

	// Folded by rank and revision, each task has one label, and copies of a record agree but for when which step saw them.
	type place struct {
		rank     schemas.Rank
		revision uint64
	}
	labels := map[schemas.SampleID]map[place]schemas.Label{}
	for _, r := range all(t, conn.Kafka, schemas.Labels) {
		l, err := schemas.DecodeLabel(r.Value)
		if err != nil {
			t.Fatal(err)
		}
		if labels[l.SampleID] == nil {
			labels[l.SampleID] = map[place]schemas.Label{}
		}
		at := place{l.Rank, l.Revision}
		if before, ok := labels[l.SampleID][at]; ok {
			if diff := cmp.Diff(before, l, cmpopts.IgnoreFields(schemas.Label{}, "Stamps")); diff != "" {
				t.Errorf("two labels of %s at rank %s, revision %d (-one +other)\n%s", l.UniqueID, l.Rank, l.Revision, diff)
			}
		}
		labels[l.SampleID][at] = l
	}
	for _, task := range tasks {
		if n := len(labels[task.SampleID]); n != 1 {
			t.Errorf("sample %s has %d labels, want one: submitted and acknowledged %v", task.UniqueID, n, w.submitted[task.ID])
		}
	}
	if len(labels) != len(tasks) {
		t.Errorf("%d samples have labels, %d have tasks", len(labels), len(tasks))
	}
	for table, want := range map[string]int{"sample_latest": len(tasks), "label_latest": len(tasks)} {
		if got := s.sql(t, "SELECT count(), uniqExact(sample_id) FROM "+table+" WHERE dataset = 'crash'"); got[0] != fmt.Sprintf("%d\t%d", want, want) {
			t.Errorf("%s has %q rows and samples, want %d of each", table, got[0], want)
		}
	}
	if n := written(t, conn.Kafka, schemas.Dead); n != 0 {
		t.Errorf("%d dead letters", n)
	}
	if code := s.stop(t); code != 0 {
		t.Errorf("exit code %d after SIGTERM, want 0", code)
	}
	s.orphans(t)
}

// producer pushes images and submits labels over HTTP, through whatever system is up, and remembers what was acknowledged.
type producer struct {
	dataset, dir string
	names        []string
	stop         sync.Map // of systems that it shall leave alone

	mu        sync.Mutex
	accepted  map[string]bool // unique ids of images: 202
	submitted map[string]bool // ids of tasks: 200
}

func (p *producer) progress() (images, submissions int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.accepted), len(p.submitted)
}

// work pushes and submits what is left until the system dies or is left alone.
func (p *producer) work(s *instance) *sync.WaitGroup {
	var wait sync.WaitGroup
	over := func() bool { _, stopped := p.stop.Load(s); return stopped || s.dead() }
	wait.Go(func() {
		for _, name := range p.names {
			p.mu.Lock()
			done := p.accepted[name]
			p.mu.Unlock()
			for !done && !over() {
				if done = p.push(s, name); done {
					p.mu.Lock()
					p.accepted[name] = true
					p.mu.Unlock()
				}
			}
		}
	})
	wait.Go(func() {
		for ; !over(); time.Sleep(20 * time.Millisecond) {
			tasks, _ := s.tasks(p.dataset, "")
			for _, task := range tasks {
				if task.State == schemas.TaskSubmitted || over() {
					continue
				}
				if done, err := s.label(task, "car"); err == nil && done {
					p.mu.Lock()
					p.submitted[task.ID] = true
					p.mu.Unlock()
				}
			}
		}
	})
	return &wait
}

// push sends one image and reports whether it was acknowledged.
func (p *producer) push(s *instance, name string) bool {
	data, err := os.ReadFile(filepath.Join(p.dir, name))
	if err != nil {
		return false
	}
	request, err := http.NewRequest(http.MethodPost, s.at.Web+"/api/images", bytes.NewReader(data))
	if err != nil {
		return false
	}
	for k, v := range map[string]string{"dataset": p.dataset, "unique-id": name, "Content-Type": "image/jpeg", "X-Actor": "camera"} {
		request.Header.Set(k, v)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	return answer.StatusCode == http.StatusAccepted && strings.HasPrefix(answer.Header.Get("Content-Type"), "application/json")
}
