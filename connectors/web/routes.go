package web

import (
	"net/http"
)

// routes is the whole surface; API.md describes it in the same order.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	api := func(pattern string, h func(http.ResponseWriter, *http.Request) error) {
		mux.Handle(pattern, s.answer(h))
	}
	api("POST /api/tasks/claim", s.claim)
	api("POST /api/tasks/{id}/renew", s.renew)
	api("POST /api/tasks/{id}/release", s.release)
	api("PUT /api/tasks/{id}/draft", s.saveDraft)
	api("POST /api/tasks/{id}/submit", s.submit)
	api("GET /api/commands/{id}", s.command)
	api("GET /api/tasks", s.listTasks)
	api("GET /api/tasks/{id}", s.getTask)
	api("GET /api/queues", s.queues)

	api("GET /api/samples/{id}", s.getSample)
	api("GET /api/samples/{id}/image", s.sampleImage)
	api("GET /api/samples/{id}/superpixels", s.superpixels)
	api("GET /api/images/{sha256}", s.image)
	api("POST /api/images", s.upload)

	api("GET /api/status", s.status)
	api("GET /api/acceptance", s.acceptance)
	api("GET /api/links", s.links)
	api("POST /api/session", s.signIn)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	if s.deps.Metrics != nil {
		mux.Handle("GET /metrics", s.deps.Metrics)
	}
	api("/api/", func(http.ResponseWriter, *http.Request) error {
		return problem(http.StatusNotFound, "no such endpoint, or not with this method", "see connectors/web/API.md for the endpoints")
	})
	s.pages(mux)
	return mux
}

func (s *Server) status(w http.ResponseWriter, r *http.Request) error {
	if s.deps.Status == nil {
		return missing("status")
	}
	st, err := s.deps.Status(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, st)
}

func (s *Server) acceptance(w http.ResponseWriter, r *http.Request) error {
	if s.deps.Acceptance == nil {
		return missing("acceptance")
	}
	all, err := s.deps.Acceptance(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, map[string]any{"datasets": emptyNotNull(all)})
}

func (s *Server) links(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, map[string]string{"clickhouse": s.cfg.Links.ClickHouse, "dashboards": s.cfg.Links.Dashboards})
}

func (s *Server) queues(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, map[string]any{"queues": emptyNotNull(s.deps.Desk.Counts())})
}
