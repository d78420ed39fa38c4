package web

// How requests are read and errors are told: every failure is JSON {error, what_to_do}.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"runtime/debug"

	"gleaner/schemas"
)

// httpError is an answer that is not a success. After a conflict, Task is the version that is current and Kept the work that was
// not taken. Violations are of the dataset's rules: those that the refusal is for, then those that only warn. Findings are what
// lint doubts, the most doubtful first.
type httpError struct {
	Status   int              `json:"-"`
	What     string           `json:"error"`
	WhatToDo string           `json:"what_to_do"`
	Verdict  schemas.Verdict  `json:"verdict,omitempty"`
	Task     *schemas.Task    `json:"task,omitempty"`
	Kept     *schemas.BlobRef `json:"kept,omitempty"`

	Violations []schemas.Violation `json:"violations,omitempty"`
	Findings   []schemas.Finding   `json:"findings,omitempty"`
}

func (e *httpError) Error() string { return e.What }

func problem(status int, what, todo string) *httpError {
	return &httpError{Status: status, What: what, WhatToDo: todo}
}

func missing(what string) *httpError {
	return problem(http.StatusNotImplemented, "this process has no "+what, "ask a process that runs it, or start one with `gleaner up`")
}

// answer turns what a handler returns into a response. Errors that are not httpError are the system's: logged here and told in short.
func (s *Server) answer(h func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(p)
			}
			s.log.Error("web: panic", "request", r.Method+" "+r.URL.Path, "panic", p, "stack", string(debug.Stack()))
			s.fail(w, problem(http.StatusInternalServerError, "internal error", "tell the operator; the log has the details"))
		}()
		err := h(w, r)
		if err == nil {
			return
		}
		var e *httpError
		switch {
		case errors.As(err, &e):
		case errors.Is(err, context.Canceled) && r.Context().Err() != nil:
			return // the client has gone
		case errors.Is(err, schemas.ErrOutcomeUnknown):
			s.log.Warn("web: outcome unknown", "request", r.Method+" "+r.URL.Path, "error", err)
			w.Header().Set("Retry-After", "1")
			e = problem(http.StatusServiceUnavailable, "unknown: the command may or may not have taken effect", "retry with the same Idempotency-Key, or ask GET /api/commands/{key}")
		case errors.Is(err, context.DeadlineExceeded):
			w.Header().Set("Retry-After", "1")
			e = problem(http.StatusServiceUnavailable, "took too long", "retry with the same Idempotency-Key")
		default:
			s.log.Error("web: request failed", "request", r.Method+" "+r.URL.Path, "error", err)
			e = problem(http.StatusInternalServerError, "internal error", "retry with the same Idempotency-Key; if it stays, tell the operator: the log has the details")
		}
		s.fail(w, e)
	})
}

func (s *Server) fail(w http.ResponseWriter, e *httpError) {
	w.Header().Set("Cache-Control", "no-store")
	_ = writeJSON(w, e.Status, e)
}

// writeJSON answers with v. An error on the way to the client is the client's: nothing can be told any more.
func writeJSON(w http.ResponseWriter, status int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	if w.Header().Get("Cache-Control") == "" {
		w.Header().Set("Cache-Control", "no-store")
	}
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n'))
	return nil
}

// readBody reads a request's body within limit bytes, holding its share of Config.MaxBodies until release is called.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request, limit schemas.ByteSize) (data []byte, release func(), err error) {
	share := int64(limit)
	if r.ContentLength >= 0 {
		share = min(r.ContentLength, share)
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.Wait)
	defer cancel()
	if err := s.bodies.Acquire(ctx, share); err != nil {
		w.Header().Set("Retry-After", "1")
		return nil, nil, problem(http.StatusServiceUnavailable, "too many bodies at a time", "retry later with the same Idempotency-Key")
	}
	release = func() { s.bodies.Release(share) }
	data, err = io.ReadAll(http.MaxBytesReader(w, r.Body, int64(limit)))
	if err == nil {
		return data, release, nil
	}
	release()
	var big *http.MaxBytesError
	if errors.As(err, &big) {
		return nil, nil, problem(http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %s", limit), "send less, or raise the limit in the web section of the configuration")
	}
	return nil, nil, problem(http.StatusBadRequest, "the body broke off: "+err.Error(), "send it again")
}

// readJSON decodes a JSON body into v. It insists on the JSON media type, which no form of another site can send.
func (s *Server) readJSON(w http.ResponseWriter, r *http.Request, v any) error {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return problem(http.StatusUnsupportedMediaType, fmt.Sprintf("content type %q is not JSON", r.Header.Get("Content-Type")), "send Content-Type: application/json")
	}
	data, release, err := s.readBody(w, r, s.cfg.MaxJSON)
	if err != nil {
		return err
	}
	defer release()
	if err := decodeJSON(data, v); err != nil {
		return problem(http.StatusBadRequest, err.Error(), "see connectors/web/API.md for the fields of this request")
	}
	return nil
}

// decodeJSON reads exactly one JSON value without unknown fields, so that a misspelled field is an error and not a default.
func decodeJSON(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		if errors.Is(err, io.EOF) {
			return errors.New("the body is empty: want a JSON object")
		}
		return fmt.Errorf("the body is not the JSON expected, at byte %d: %w", d.InputOffset(), err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("something follows the JSON object, at byte %d", d.InputOffset())
	}
	return nil
}

// emptyNotNull makes a nil list an empty JSON array.
func emptyNotNull[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
