package web_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"

	"gleaner/schemas"
)

// bench is a desk of one task over a map: enough to answer every verdict on demand. The real desk meets this server in deploy/e2e.
type bench struct {
	mu       sync.Mutex
	task     schemas.Task
	commands []schemas.Command
	outcomes map[string]schemas.Outcome
	err      error // what Do fails with, once
}

func newBench(sample schemas.Sample, body schemas.BlobRef) *bench {
	return &bench{outcomes: map[string]schemas.Outcome{}, task: schemas.Task{
		ID: schemas.TaskID(sample.ID, "detect"), SampleID: sample.ID, Dataset: sample.Dataset, Task: "detect", Queue: sample.Dataset,
		State: schemas.TaskOpen, Version: 1, Round: 1, Body: body,
	}}
}

func (b *bench) Do(_ context.Context, c schemas.Command) (schemas.Outcome, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.err; err != nil {
		b.err = nil
		return schemas.Outcome{}, err
	}
	if o, ok := b.outcomes[c.ID]; ok {
		return o, nil
	}
	b.commands = append(b.commands, c)
	o := schemas.Outcome{CommandID: c.ID, Verdict: b.decide(c), Offset: int64(len(b.commands))}
	if o.Verdict != schemas.Empty && o.Verdict != schemas.NotFound {
		task := b.task
		o.Task = &task
	}
	b.outcomes[c.ID] = o
	return o, nil
}

func (b *bench) decide(c schemas.Command) schemas.Verdict {
	var body struct {
		TaskID     string           `json:"task_id"`
		Version    uint64           `json:"version"`
		Draft      *schemas.BlobRef `json:"draft"`
		Annotation *schemas.BlobRef `json:"annotation"`
	}
	if err := json.Unmarshal(c.Body, &body); err != nil {
		return schemas.Unknown
	}
	switch {
	case body.TaskID != "" && body.TaskID != b.task.ID:
		return schemas.NotFound
	case c.Kind == schemas.CommandClaim && b.task.State == schemas.TaskSubmitted:
		return schemas.Empty
	case c.Kind == schemas.CommandClaim:
		b.task.State, b.task.Holder = schemas.TaskClaimed, c.Actor
		b.task.Version++
		return schemas.Applied
	case b.task.Holder != c.Actor:
		return schemas.Refused
	case body.Version != b.task.Version:
		return schemas.Stale
	}
	switch c.Kind {
	case schemas.CommandDraft:
		b.task.Draft = body.Draft
	case schemas.CommandSubmit:
		b.task.Result, b.task.State, b.task.Holder = body.Annotation, schemas.TaskSubmitted, ""
	case schemas.CommandRelease:
		b.task.State, b.task.Holder = schemas.TaskOpen, ""
	}
	b.task.Version++
	return schemas.Applied
}

func (b *bench) Task(id string) (schemas.Task, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.task, id == b.task.ID
}

func (b *bench) Tasks(f schemas.TaskFilter) []schemas.Task {
	b.mu.Lock()
	defer b.mu.Unlock()
	if f.State != "" && f.State != b.task.State {
		return nil
	}
	return []schemas.Task{b.task}
}

func (b *bench) Outcome(id string) (schemas.Outcome, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	o, ok := b.outcomes[id]
	return o, ok
}

func (b *bench) Counts() []schemas.QueueCount {
	return []schemas.QueueCount{{Queue: b.task.Queue, Open: 1}}
}

// house is rules that want buses of some width.
type house struct{ schemas.DatasetRules }

func (h house) Rules(dataset string) (schemas.DatasetRules, bool) {
	return h.DatasetRules, dataset == h.Dataset
}

func (h house) Check(_ context.Context, _ *schemas.Sample, objects []schemas.Object) (out []schemas.Violation, _ error) {
	for _, o := range objects {
		if o.Attributes["color"] == "" {
			out = append(out, schemas.Violation{ObjectID: o.ID, Rule: "attribute", Message: "The attribute color is missing.", Severity: schemas.SeverityWarn})
		}
		if o.Box.W() < 20 {
			out = append(out, schemas.Violation{ObjectID: o.ID, Rule: "min_size", Message: "The box is too small.", Severity: schemas.SeverityError})
		}
	}
	return out, nil
}

// shelf keeps blobs in a map.
type shelf struct {
	mu    sync.Mutex
	blobs map[string][]byte
}

func (s *shelf) Put(_ context.Context, key string, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blobs[key] = slices.Clone(data)
	return nil
}

func (s *shelf) Get(_ context.Context, key string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	data, ok := s.blobs[key]
	if !ok {
		return nil, fmt.Errorf("blob %s: %w", key, fs.ErrNotExist)
	}
	return data, nil
}

func (s *shelf) image(data []byte) schemas.Hash {
	h := schemas.Hash(sha256.Sum256(data))
	s.blobs[schemas.ImageKey(h)] = data
	return h
}

// tray collects what was written to the raw topic.
type tray struct {
	mu      sync.Mutex
	records []schemas.Record
	err     error
}

func (t *tray) Write(_ context.Context, records []schemas.Record) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.records = append(t.records, records...)
	return t.err
}

// cards is a catalog of one sample.
type cards struct{ sample schemas.Sample }

func (c cards) Sample(_ context.Context, id schemas.SampleID) (schemas.Sample, bool, error) {
	return c.sample, id == c.sample.ID, nil
}

// doubter says what it is told to, and remembers what it was asked about.
type doubter struct {
	findings []schemas.Finding
	err      error
	asked    []schemas.Annotation
}

func (d *doubter) lint(ctx context.Context, _ schemas.Sample, ann schemas.Annotation, _ string) ([]schemas.Finding, error) {
	d.asked = append(d.asked, ann)
	if errors.Is(d.err, context.DeadlineExceeded) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if d.findings == nil && d.err == nil {
		panic("no findings were given")
	}
	return d.findings, d.err
}
