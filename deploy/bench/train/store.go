package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"

	"gleaner/connectors/clickhouse"
	"gleaner/connectors/engine"
)

// store is the embedded ClickHouse with our tables.
type store struct {
	*clickhouse.DB
	stop context.CancelFunc
	done chan error
}

// losses are the database that per-sample losses go to; it starts at the first call.
func (b *bench) losses(ctx context.Context) (*store, error) {
	if b.store != nil {
		return b.store, nil
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	cfg := engine.DefaultClickHouseConfig()
	cfg.Dir = filepath.Join(b.dir, "clickhouse")
	e, err := engine.NewClickHouse(cfg, log)
	if err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	s := &store{stop: stop, done: make(chan error, 1)}
	go func() { s.done <- e.Run(running) }()
	select {
	case <-e.Ready():
	case err := <-s.done:
		stop()
		return nil, err
	}
	b.store = s
	at := clickhouse.DefaultConfig()
	at.Addrs = []string{e.Addr()}
	if s.DB, err = clickhouse.Open(ctx, at, log); err != nil {
		return nil, err
	}
	return s, s.Migrate(ctx)
}

func (s *store) close() (err error) {
	if s == nil {
		return nil
	}
	if s.DB != nil {
		err = s.Close()
	}
	s.stop()
	return errors.Join(err, <-s.done)
}
