package web

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// Server answers HTTP requests. Its Handler may be called concurrently.
type Server struct {
	cfg     Config
	deps    Deps
	log     *slog.Logger
	bodies  *semaphore.Weighted // bytes of request bodies in memory
	lints   *semaphore.Weighted // submissions that lint looks at, two for each processor at a time: half of its time lint waits for the database
	handler http.Handler

	ready chan struct{} // closed once addr is set
	once  sync.Once
	addr  string
}

// New checks the configuration and builds the routes. It does not listen.
func New(cfg Config, deps Deps, log *slog.Logger) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	if deps.Desk == nil || deps.Blobs == nil {
		return nil, errors.New("web: a desk and a blob store are needed")
	}
	s := &Server{
		cfg: cfg, deps: deps, log: log, ready: make(chan struct{}),
		bodies: semaphore.NewWeighted(int64(cfg.MaxBodies)), lints: semaphore.NewWeighted(2 * int64(runtime.GOMAXPROCS(0))),
	}
	s.handler = s.guard(s.routes())
	return s, nil
}

// Run listens and serves until ctx ends, then lets open requests finish for Config.Drain. It returns nil after such an end, else
// why it could not listen or serve. Run may be called once.
func (s *Server) Run(ctx context.Context) error {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", s.cfg.Address)
	if err != nil {
		return fmt.Errorf("web: listen on %s: %w", s.cfg.Address, err)
	}
	if s.cfg.TLS.Cert != "" {
		cert, err := tls.LoadX509KeyPair(s.cfg.TLS.Cert, s.cfg.TLS.Key)
		if err != nil {
			_ = ln.Close()
			return fmt.Errorf("web: load certificate %s and key %s: %w", s.cfg.TLS.Cert, s.cfg.TLS.Key, err)
		}
		ln = tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
	}
	srv := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      2 * time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	s.once.Do(func() {
		s.addr = ln.Addr().String()
		close(s.ready)
	})
	s.log.Info("web: listening", "address", s.addr, "tls", s.cfg.TLS.Cert != "", "token", s.cfg.Token != "")

	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(ln) }()
	select {
	case err := <-failed:
		return fmt.Errorf("web: serve on %s: %w", s.addr, err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Drain)
	defer cancel()
	if err := srv.Shutdown(drain); err != nil {
		s.log.Warn("web: requests cut off at the end", "after", s.cfg.Drain, "error", err)
		_ = srv.Close()
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("web: serve on %s: %w", s.addr, err)
	}
	return nil
}

// Ready is closed once the server listens.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// Addr is the host and port that the server listens on; it blocks until Ready.
func (s *Server) Addr() string {
	<-s.ready
	return s.addr
}
