package web

// Lint at a submission: what is doubtful comes back before the submission counts, so that it is settled by whoever has the image
// before them.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"

	"gleaner/schemas"
)

// doubts refuses an annotation of which lint doubts what nobody has been shown and nobody has overridden, from Config.AskFrom on.
// It never stands in the way of work by failing: then the submission counts, and lint sees it afterwards.
func (s *Server) doubts(ctx context.Context, task schemas.Task, sample schemas.Sample, ann schemas.Annotation, who string) error {
	if s.deps.Lint == nil || s.cfg.AskFrom > 1 {
		return nil
	}
	found, err := s.lint(ctx, sample, ann, who)
	if err != nil {
		s.log.Warn("web: a submission counts without lint's word, which comes afterwards", "sample", sample.ID, "error", err)
		return nil
	}
	found = slices.DeleteFunc(found, func(f schemas.Finding) bool {
		return f.Score < s.cfg.AskFrom || f.Type == schemas.FindingRule || settled(f, ann.Overrides) || shown(f, &sample, ann.Objects)
	})
	if len(found) == 0 {
		return nil
	}
	if err := s.remember(ctx, task, who, found, ann.Findings); err != nil {
		return err
	}
	what := "lint doubts this: " + found[0].Why
	if n := len(found); n > 1 {
		what = fmt.Sprintf("lint doubts %d labels: %s", n, found[0].Why)
	}
	e := problem(http.StatusUnprocessableEntity, what, "correct the labels that findings names, or add an override with a reason for each, and submit again")
	e.Findings = found
	return e
}

// lint asks for findings and waits no longer than Config.LintWait, whether lint heeds that or not, nor for a turn: what still runs after
// its time counts among the lints at a time. A panic there is an error.
func (s *Server) lint(ctx context.Context, sample schemas.Sample, ann schemas.Annotation, who string) ([]schemas.Finding, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.LintWait)
	defer cancel()
	if err := s.lints.Acquire(ctx, 1); err != nil {
		return nil, fmt.Errorf("as many lints as may run at a time take too long: %w", err)
	}
	type answer struct {
		found []schemas.Finding
		err   error
	}
	done := make(chan answer, 1)
	go func() {
		defer s.lints.Release(1)
		defer func() {
			if p := recover(); p != nil {
				done <- answer{err: fmt.Errorf("panic: %v", p)}
			}
		}()
		found, err := s.deps.Lint(ctx, sample, ann, who)
		done <- answer{found, err}
	}()
	select {
	case a := <-done:
		return a.found, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// mostAnswered is how many findings are remembered of one actor's work on a task.
const mostAnswered = 200

// answered returns what the actor's submissions in the task's round were answered with, of findings that are the same the last one.
func (s *Server) answered(ctx context.Context, task schemas.Task, who string) ([]schemas.Finding, error) {
	key := schemas.AnsweredKey(task.SampleID)
	data, err := s.deps.Blobs.Get(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("web: what task %s was answered with: %w", task.ID, err)
	}
	var a schemas.Answered
	if err := json.Unmarshal(data, &a); err != nil {
		return nil, fmt.Errorf("web: decode %s: %w", key, err)
	}
	if a.Round != task.Round || a.Actor != who {
		return nil, nil
	}
	return a.Findings, nil
}

// remember keeps an answer to whoever holds the task, before they get it, in the blob store, where other instances find it. Of what
// becomes of findings scores are learned, so that it cannot be the sender who says which there were.
func (s *Server) remember(ctx context.Context, task schemas.Task, who string, found, before []schemas.Finding) error {
	if task.Holder != who {
		return nil
	}
	all := slices.Clone(found)
	for _, f := range before {
		if !slices.ContainsFunc(found, func(g schemas.Finding) bool { return g.Settle("").Covers(f) }) {
			all = append(all, f)
		}
	}
	data, err := json.Marshal(schemas.Answered{Round: task.Round, Actor: who, Findings: all[:min(len(all), mostAnswered)]})
	if err != nil {
		return fmt.Errorf("web: encode what task %s is answered with: %w", task.ID, err)
	}
	if err := s.deps.Blobs.Put(ctx, schemas.AnsweredKey(task.SampleID), data); err != nil {
		return fmt.Errorf("web: store what task %s is answered with: %w", task.ID, err)
	}
	return nil
}

func settled(f schemas.Finding, overrides []schemas.Override) bool {
	return slices.ContainsFunc(overrides, func(o schemas.Override) bool { return o.Covers(f) })
}

// shown tells whether the task came with the finding, about a label that is still as it was.
func shown(f schemas.Finding, task *schemas.Sample, now []schemas.Object) bool {
	if !slices.ContainsFunc(task.Findings, func(g schemas.Finding) bool { return g.Settle("").Covers(f) }) {
		return false
	}
	named := func(o schemas.Object) bool { return o.ID == f.ObjectID }
	a, b := slices.IndexFunc(task.Objects, named), slices.IndexFunc(now, named)
	if a < 0 || b < 0 {
		return a == b // about no object
	}
	was := task.Objects[a]
	was.Box = was.Box.Clip(task.Image.W, task.Image.H) // as what is submitted
	return was.SameLabel(now[b])
}
