package wire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"gleaner/deploy/config"
)

// Up runs the whole system: the embedded engines where no servers are named, every step, the desk and the page. It blocks
// until ctx ends and everything has stopped in order. started is called once all runs, with the context of the run: what
// it does is part of the run, and when it returns false the system stops.
func Up(ctx context.Context, cfg config.Config, version string, log *slog.Logger, started func(context.Context, *Connections, *System) (stay bool, err error)) error {
	if err := canListen(ctx, cfg.Web.Address); err != nil { // before anything is made in the data folder
		return fmt.Errorf("web.address: %w: stop what listens there, another system perhaps, or set another address in a configuration file (--config)", err)
	}
	engines, err := StartEngines(ctx, cfg, log)
	if err != nil {
		return err
	}
	err = up(ctx, cfg, version, log, engines, started)
	return errors.Join(err, forget(cfg), engines.Stop())
}

// canListen reports why nothing can listen at an address, host:port.
func canListen(ctx context.Context, address string) error {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return ln.Close()
}

func up(ctx context.Context, cfg config.Config, version string, log *slog.Logger, engines *Engines, started func(context.Context, *Connections, *System) (bool, error)) error {
	c, err := Connect(ctx, cfg, engines.At, version, log)
	if err != nil {
		return err
	}
	if err = c.Prepare(ctx); err == nil {
		err = c.run(ctx, engines.Failed(), AllSteps(), started)
	}
	closing, stop := context.WithTimeout(context.WithoutCancel(ctx), cfg.StopWithin)
	defer stop()
	return errors.Join(err, c.Close(closing))
}

// RunSteps runs some steps against servers, or against the engines of a running system, until ctx ends.
func RunSteps(ctx context.Context, cfg config.Config, version string, log *slog.Logger, names []string) error {
	at, err := Find(cfg)
	if err != nil {
		return err
	}
	c, err := Connect(ctx, cfg, at, version, log)
	if err != nil {
		return err
	}
	if err = c.Prepare(ctx); err == nil {
		err = c.run(ctx, nil, names, nil)
	}
	closing, stop := context.WithTimeout(context.WithoutCancel(ctx), cfg.StopWithin)
	defer stop()
	return errors.Join(err, c.Close(closing))
}

// run runs the named steps until ctx ends, or failed is closed, or what started does is done.
func (c *Connections) run(ctx context.Context, failed <-chan struct{}, names []string, started func(context.Context, *Connections, *System) (bool, error)) error {
	s, err := c.NewSystem(names)
	if err != nil {
		return err
	}
	whole := ctx
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		ended <- s.Run(ctx)
		cancel()
	}()
	go func() {
		select {
		case <-ctx.Done():
		case <-failed:
			c.Log.Error("an embedded engine failed: stopping")
			cancel()
		}
	}()
	err = s.listening(ctx)
	if err == nil && started != nil {
		c.At.Web = s.Web()
		if err = c.At.write(c.Config); err == nil {
			var stay bool
			if stay, err = started(ctx, c, s); !stay {
				cancel()
			}
		}
	}
	if err != nil {
		cancel()
	}
	<-ctx.Done()
	if errors.Is(err, context.Canceled) && whole.Err() == nil {
		err = nil // of what started was doing when something failed, which says why itself
	}
	select {
	case runErr := <-ended:
		return errors.Join(err, runErr)
	case <-time.After(c.Config.StopWithin):
		return errors.Join(err, fmt.Errorf("not everything stopped within %s: what was in flight is read again by the next start", c.Config.StopWithin))
	}
}

// listening waits until the page answers, where there is one.
func (s *System) listening(ctx context.Context) error {
	if s.web == nil {
		return nil
	}
	select {
	case <-s.web.Ready():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
