package wire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"

	"gleaner/connectors/engine"
	"gleaner/deploy/config"
)

// Engines are the embedded engines of this process: those that the configuration does not name servers for.
type Engines struct {
	At     Endpoints
	failed chan struct{} // closed when an engine ends by itself
	cancel context.CancelFunc
	wait   sync.WaitGroup

	mu  sync.Mutex
	err error
}

// StartEngines starts what is needed and returns when clients can connect, or with the error of the first engine that
// cannot start. The caller stops them, after everything that uses them.
func StartEngines(ctx context.Context, cfg config.Config, log *slog.Logger) (*Engines, error) {
	if err := os.MkdirAll(cfg.DataDir, 0o755); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	// The engines outlive the context that ends the rest: what drains still writes to them.
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	e := &Engines{At: Endpoints{PID: os.Getpid()}, failed: make(chan struct{}), cancel: cancel}
	var ready []<-chan struct{}
	var addresses []func()
	if cfg.EmbeddedKafka() {
		k, err := engine.NewKafka(cfg.Engine.Kafka, log)
		if err != nil {
			cancel()
			return nil, err
		}
		e.run(running, k.Run)
		ready = append(ready, k.Ready())
		addresses = append(addresses, func() { e.At.Kafka = k.Addr() })
	}
	if cfg.EmbeddedClickHouse() {
		c, err := engine.NewClickHouse(cfg.Engine.ClickHouse, log)
		if err != nil {
			return nil, errors.Join(err, e.Stop())
		}
		e.run(running, c.Run)
		ready = append(ready, c.Ready())
		addresses = append(addresses, func() {
			e.At.ClickHouse = c.Addr()
			e.At.Play = "http://" + c.HTTPAddr() + "/play"
		})
	}
	for _, r := range ready {
		select {
		case <-r:
		case <-e.failed:
			return nil, e.Stop()
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), e.Stop())
		}
	}
	for _, set := range addresses {
		set()
	}
	return e, nil
}

func (e *Engines) run(ctx context.Context, run func(context.Context) error) {
	e.wait.Go(func() {
		err := run(ctx)
		if err == nil && ctx.Err() == nil {
			err = errors.New("an embedded engine ended by itself")
		}
		if err == nil {
			return
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.err == nil {
			close(e.failed)
		}
		e.err = errors.Join(e.err, err)
	})
}

// Failed is closed when an engine ended by itself; Stop then says why.
func (e *Engines) Failed() <-chan struct{} { return e.failed }

// Stop ends the engines cleanly and returns why one of them failed, if it did.
func (e *Engines) Stop() error {
	e.cancel()
	e.wait.Wait()
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
}
