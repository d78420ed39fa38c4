package web

// The desk API: one handler per command. A handler checks what was sent, stores big bodies content-addressed, and lets the desk
// decide; the desk's verdict is the answer.

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"time"

	"gleaner/schemas"
)

var keyPattern = regexp.MustCompile(`^[A-Za-z0-9._:-]{8,128}$`)

// claimRequest is the body of POST /api/tasks/claim; all of it may be left out.
type claimRequest struct {
	Queue  string  `json:"queue"`
	TaskID string  `json:"task_id"`
	LeaseS float64 `json:"lease_s"` // seconds; 0: Config.Lease
}

// versionRequest is the body of renew and release.
type versionRequest struct {
	Version *uint64 `json:"version"`
	Reason  string  `json:"reason"`
}

// annotationRequest is the body of draft and submit.
type annotationRequest struct {
	Version    *uint64             `json:"version"`
	Annotation *schemas.Annotation `json:"annotation"`
}

func (s *Server) claim(w http.ResponseWriter, r *http.Request) error {
	var req claimRequest
	if err := s.readJSON(w, r, &req); err != nil {
		return err
	}
	lease := s.cfg.Lease
	if req.LeaseS != 0 {
		if !(req.LeaseS >= 1 && req.LeaseS <= 24*3600) {
			return problem(http.StatusBadRequest, fmt.Sprintf("lease_s %g is out of range", req.LeaseS), "ask for 1 to 86400 seconds, or leave it out")
		}
		lease = time.Duration(req.LeaseS * float64(time.Second))
	}
	out, err := s.do(w, r, schemas.CommandClaim, schemas.ClaimBody{TaskID: req.TaskID, Queue: req.Queue, Lease: lease})
	if err != nil {
		return err
	}
	if out.Verdict == schemas.Empty || out.Task == nil {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	view, err := s.view(r.Context(), *out.Task)
	if err != nil {
		return err
	}
	if s.deps.Claimed != nil {
		s.deps.Claimed(view.Sample)
	}
	return writeJSON(w, http.StatusOK, view)
}

func (s *Server) renew(w http.ResponseWriter, r *http.Request) error {
	return s.onTask(w, r, schemas.CommandRenew)
}

func (s *Server) release(w http.ResponseWriter, r *http.Request) error {
	return s.onTask(w, r, schemas.CommandRelease)
}

func (s *Server) onTask(w http.ResponseWriter, r *http.Request, kind schemas.CommandKind) error {
	var req versionRequest
	if err := s.readJSON(w, r, &req); err != nil {
		return err
	}
	if req.Version == nil {
		return noVersion()
	}
	if len(req.Reason) > maxReason {
		return problem(http.StatusBadRequest, "the reason is too long", fmt.Sprintf("use at most %d bytes", maxReason))
	}
	out, err := s.do(w, r, kind, schemas.TaskBody{TaskID: r.PathValue("id"), Version: *req.Version, Reason: req.Reason})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, out)
}

func (s *Server) saveDraft(w http.ResponseWriter, r *http.Request) error {
	return s.onAnnotation(w, r, schemas.CommandDraft, func(version uint64, ref schemas.BlobRef) any {
		return schemas.DraftBody{TaskID: r.PathValue("id"), Version: version, Draft: ref}
	})
}

func (s *Server) submit(w http.ResponseWriter, r *http.Request) error {
	return s.onAnnotation(w, r, schemas.CommandSubmit, func(version uint64, ref schemas.BlobRef) any {
		return schemas.SubmitBody{TaskID: r.PathValue("id"), Version: version, Annotation: ref}
	})
}

// onAnnotation stores the checked annotation before the command names it. A command that is refused leaves the blob behind: it is
// the loser's draft, kept, and collected with the unnamed bodies.
func (s *Server) onAnnotation(w http.ResponseWriter, r *http.Request, kind schemas.CommandKind, body func(uint64, schemas.BlobRef) any) error {
	var req annotationRequest
	if err := s.readJSON(w, r, &req); err != nil {
		return err
	}
	if req.Version == nil {
		return noVersion()
	}
	if req.Annotation == nil || req.Annotation.Objects == nil {
		return problem(http.StatusBadRequest, "the request has no annotation with objects", "send {version, annotation: {objects: […]}}; an image that has none of them has []")
	}
	who, err := actor(r)
	if err != nil {
		return err // before anything is stored for nobody
	}
	task, ok := s.deps.Desk.Task(r.PathValue("id"))
	if !ok {
		return noTask(r.PathValue("id"))
	}
	sample, err := s.body(r.Context(), task)
	if err != nil {
		return err
	}
	ann, err := checkAnnotation(*req.Annotation, sample.Image, s.cfg.MaxObjects)
	if err != nil {
		return problem(http.StatusUnprocessableEntity, err.Error(), "correct the object named and send it again")
	}
	if ann.Findings, err = s.answered(r.Context(), task, who); err != nil {
		return err
	}
	// A retry of a command that took effect has its answer, whatever rules and lint say by now.
	if _, decided := s.deps.Desk.Outcome(r.Header.Get("Idempotency-Key")); kind == schemas.CommandSubmit && !decided {
		if err := s.obeys(r.Context(), sample, ann); err != nil {
			return err
		}
		if err := s.doubts(r.Context(), task, sample, ann, who); err != nil {
			return err
		}
	}
	ref, err := s.putBody(r.Context(), ann)
	if err != nil {
		return err
	}
	out, err := s.do(w, r, kind, body(*req.Version, ref))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, out)
}

func noVersion() error {
	return problem(http.StatusBadRequest, "the request has no version", "send that of the task, as its view has it")
}

// obeys refuses an annotation that breaks a rule of its dataset. Rules that only warn let it pass: lint says so afterwards.
func (s *Server) obeys(ctx context.Context, sample schemas.Sample, ann schemas.Annotation) error {
	if s.deps.Rules == nil {
		return nil
	}
	violations, err := s.deps.Rules.Check(ctx, &sample, ann.Objects)
	if err != nil {
		return fmt.Errorf("web: rules of dataset %s: %w", sample.Dataset, err)
	}
	refusing := 0
	for _, v := range violations {
		if v.Severity == schemas.SeverityError {
			refusing++
		}
	}
	if refusing == 0 {
		return nil
	}
	slices.SortStableFunc(violations, func(a, b schemas.Violation) int { return cmp.Compare(a.Severity, b.Severity) }) // error comes before warn
	first := violations[0]
	what := fmt.Sprintf("the rules of dataset %s: %s", sample.Dataset, first.Message)
	if first.ObjectID != "" {
		what = fmt.Sprintf("the rules of dataset %s: object %s: %s", sample.Dataset, first.ObjectID, first.Message)
	}
	if refusing > 1 {
		what += fmt.Sprintf(" And %d more.", refusing-1)
	}
	e := problem(http.StatusUnprocessableEntity, what, "correct the objects that violations names and submit again; `gleaner dataset show` prints the rules")
	e.Violations = violations
	return e
}

// do proposes one command and waits for the desk's verdict. Verdicts that are no success come back as an httpError.
func (s *Server) do(w http.ResponseWriter, r *http.Request, kind schemas.CommandKind, body any) (schemas.Outcome, error) {
	who, err := actor(r)
	if err != nil {
		return schemas.Outcome{}, err
	}
	key := r.Header.Get("Idempotency-Key")
	if key == "" {
		key = rand.Text()
	}
	if !keyPattern.MatchString(key) {
		return schemas.Outcome{}, problem(http.StatusBadRequest, "the Idempotency-Key is not one", "use 8 to 128 letters, digits or . _ : -, new for every command and the same for its retries")
	}
	w.Header().Set("Idempotency-Key", key)
	raw, err := json.Marshal(body)
	if err != nil {
		return schemas.Outcome{}, fmt.Errorf("web: encode %s command: %w", kind, err)
	}
	now := time.Now().UTC()
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.Wait)
	defer cancel()
	out, err := s.deps.Desk.Do(ctx, schemas.Command{ID: key, Actor: who, At: now, NotAfter: now.Add(s.cfg.Life), Kind: kind, Body: raw})
	if err != nil {
		err = fmt.Errorf("web: %s by %s: %w", kind, who, err)
		if errors.Is(err, schemas.ErrOutcomeUnknown) || ctx.Err() != nil {
			return schemas.Outcome{}, err
		}
		s.log.Error("web: the desk takes no commands", "error", err)
		return schemas.Outcome{}, problem(http.StatusServiceUnavailable, "the desk takes no commands now: "+err.Error(), "retry with the same Idempotency-Key; if it stays, tell the operator")
	}
	return out, verdictError(out)
}

// verdictError is the HTTP face of a verdict; nil for those that are a success.
func verdictError(out schemas.Outcome) error {
	var e *httpError
	switch out.Verdict {
	case schemas.Applied, schemas.Empty:
		return nil
	case schemas.Stale:
		e = problem(http.StatusConflict, "another version of the task is current", "load the task again; what was sent stays in the blob store, under kept")
	case schemas.NotFound:
		e = problem(http.StatusNotFound, "no such task", "list the tasks with GET /api/tasks")
	case schemas.Refused:
		e = problem(http.StatusConflict, "the desk refused", "claim the task first, or take another")
	case schemas.Expired:
		e = problem(http.StatusRequestTimeout, "the command came too late to take effect", "send it again with a new Idempotency-Key")
	default:
		e = problem(http.StatusBadRequest, "the desk cannot take this command", "see connectors/web/API.md for what it takes")
	}
	if out.Reason != "" {
		e.What = out.Reason
	}
	e.Verdict, e.Task, e.Kept = out.Verdict, out.Task, out.Kept
	return e
}

func (s *Server) command(w http.ResponseWriter, r *http.Request) error {
	out, ok := s.deps.Desk.Outcome(r.PathValue("id"))
	if !ok {
		return problem(http.StatusNotFound, "no outcome is known for this command", "it did not take effect yet, or long ago: retry with the same Idempotency-Key")
	}
	return writeJSON(w, http.StatusOK, out)
}

func (s *Server) listTasks(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	f := schemas.TaskFilter{Queue: q.Get("queue"), State: schemas.TaskState(q.Get("state")), Limit: min(100, s.cfg.MaxListed)}
	switch f.State {
	case "", schemas.TaskOpen, schemas.TaskClaimed, schemas.TaskSubmitted, schemas.TaskCanceled:
	default:
		return problem(http.StatusBadRequest, fmt.Sprintf("state %q is none", f.State), "use open, claimed, submitted or canceled")
	}
	if l := q.Get("limit"); l != "" {
		n, err := strconv.Atoi(l)
		if err != nil || n < 1 || n > s.cfg.MaxListed {
			return problem(http.StatusBadRequest, fmt.Sprintf("limit %q is out of range", l), fmt.Sprintf("use 1 to %d", s.cfg.MaxListed))
		}
		f.Limit = n
	}
	return writeJSON(w, http.StatusOK, map[string]any{"tasks": emptyNotNull(s.deps.Desk.Tasks(f))})
}

func (s *Server) getTask(w http.ResponseWriter, r *http.Request) error {
	task, ok := s.deps.Desk.Task(r.PathValue("id"))
	if !ok {
		return noTask(r.PathValue("id"))
	}
	view, err := s.view(r.Context(), task)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, view)
}

// putBody stores v as JSON under its digest.
func (s *Server) putBody(ctx context.Context, v any) (schemas.BlobRef, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return schemas.BlobRef{}, fmt.Errorf("web: encode body: %w", err)
	}
	key := schemas.BodyKey(sha256.Sum256(data))
	if err := s.deps.Blobs.Put(ctx, key, data); err != nil {
		return schemas.BlobRef{}, fmt.Errorf("web: store body %s: %w", key, err)
	}
	return schemas.BlobRef{Key: key, Size: int64(len(data))}, nil
}

func noTask(id string) error {
	return problem(http.StatusNotFound, fmt.Sprintf("no task %q", id), "list the tasks with GET /api/tasks")
}
