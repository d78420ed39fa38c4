package web

// Lint at a submission: what is doubtful comes back before the submission counts, so that it is settled by whoever has the image
// before them.

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"gleaner/schemas"
)

// doubts refuses an annotation of which lint doubts what nobody has been shown and nobody has overridden, from Config.AskFrom on.
// It never stands in the way of work by failing: then the submission counts, and lint sees it afterwards.
func (s *Server) doubts(ctx context.Context, sample schemas.Sample, ann schemas.Annotation, who string) error {
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
	what := "lint doubts this: " + found[0].Why
	if n := len(found); n > 1 {
		what = fmt.Sprintf("lint doubts %d labels: %s", n, found[0].Why)
	}
	e := problem(http.StatusUnprocessableEntity, what, "correct the labels that findings names, or add an override with a reason for each, and submit again")
	e.Findings = found
	return e
}

// lint asks for findings within Config.LintWait. A panic there is an error.
func (s *Server) lint(ctx context.Context, sample schemas.Sample, ann schemas.Annotation, who string) (found []schemas.Finding, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, s.cfg.LintWait)
	defer cancel()
	return s.deps.Lint(ctx, sample, ann, who)
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
