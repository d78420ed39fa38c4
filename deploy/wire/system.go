package wire

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"gleaner/connectors/web"
	"gleaner/schemas"
	"gleaner/stages"
	"gleaner/stages/humanlabel"
	"gleaner/stages/runner"
)

// DeskStep is the name by which `gleaner run` starts the desk and its page beside the steps of the flow.
const DeskStep = "desk"

// System is some steps of the flow, and the desk with its page, running in one process.
type System struct {
	c       *Connections
	shared  *shared
	started time.Time
	steps   []*running
	desk    *humanlabel.Desk // nil when this process has no desk
	web     *web.Server      // nil likewise
}

// running is a step with how it ended.
type running struct {
	name   string
	runner *runner.Runner

	mu    sync.Mutex
	state string
	err   error
}

func (r *running) set(state string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state, r.err = state, err
}

func (r *running) get() (state string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state, r.err
}

// AllSteps lists what a process can run: the steps of the flow that are ours, and the desk.
func AllSteps() []string {
	var names []string
	for _, s := range stages.Flow() {
		if !s.External || s.Name == DeskStep {
			names = append(names, s.Name)
		}
	}
	return names
}

// NewSystem makes the named steps. Nothing runs before Run.
func (c *Connections) NewSystem(names []string) (*System, error) {
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), c.Kafka)
	sh, err := c.newShared(names, metrics)
	if err != nil {
		return nil, err
	}
	s := &System{c: c, shared: sh, started: time.Now().UTC()}
	for _, name := range names {
		if name == DeskStep {
			continue
		}
		r, err := c.step(name, sh)
		if err != nil {
			return nil, errors.Join(err, s.release())
		}
		s.steps = append(s.steps, &running{name: name, runner: r, state: "stopped"})
	}
	if slices.Contains(names, DeskStep) {
		if s.desk, err = humanlabel.New(c.Config.Desk, c.Kafka, c.Blobs, c.Log); err != nil {
			return nil, errors.Join(err, s.release())
		}
		cfg := c.Config.Web
		if cfg.Links.ClickHouse == "" {
			cfg.Links.ClickHouse = c.At.Play
		}
		s.web, err = web.New(cfg, web.Deps{
			Desk: s.desk, Blobs: c.Blobs, Raw: c.Kafka.Sink(), Catalog: c.DB,
			Acceptance: func(ctx context.Context) ([]schemas.Acceptance, error) { return sh.guarantor.acceptance(ctx, c.DB) },
			Status:     s.Status, Classes: sh.models.classes, Rules: sh.rules, Lint: sh.doubts, Claimed: sh.prepare,
			Metrics: promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}),
		}, c.Log)
		if err != nil {
			return nil, errors.Join(err, s.release())
		}
	}
	return s, nil
}

func (s *System) release() error {
	s.shared.models.close()
	return s.shared.guard.Close()
}

// Web returns the http address of the page once it listens, or "" when this process has none.
func (s *System) Web() string {
	if s.web == nil {
		return ""
	}
	scheme := "http://"
	if s.c.Config.Web.TLS.Cert != "" {
		scheme = "https://"
	}
	return scheme + s.web.Addr()
}

// Run runs everything until ctx ends, then finishes what is in flight. A step that fails is logged, shown in the status and
// left stopped while the others go on, since its input waits on Kafka; the error names it at the end. A desk or a page that
// fails ends the whole.
func (s *System) Run(ctx context.Context) error {
	stopMetrics, err := s.serveMetrics()
	if err != nil {
		return errors.Join(err, s.release())
	}
	defer stopMetrics()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	err = errors.Join(s.c.followTaxonomies(ctx, s.shared.classes), s.c.followRules(ctx, s.shared.rules), s.shared.models.start(ctx))
	if err != nil {
		return errors.Join(err, s.release())
	}
	var wait sync.WaitGroup
	errs := make([]error, len(s.steps)+2)
	for i, r := range s.steps {
		r.set("running", nil)
		wait.Go(func() {
			err := r.runner.Run(ctx)
			if err == nil {
				r.set("stopped", nil)
				return
			}
			r.set("failed", err)
			s.c.Log.Error("a step stopped; its input waits on Kafka until the cause is mended and the step runs again", "step", r.name, "error", err)
			errs[i] = fmt.Errorf("step %s: %w", r.name, err)
		})
	}
	whole := func(i int, what string, run func(context.Context) error) {
		wait.Go(func() {
			defer cancel()
			if err := run(ctx); err != nil {
				errs[len(s.steps)+i] = fmt.Errorf("%s: %w", what, err)
			}
		})
	}
	if s.desk != nil {
		whole(0, "desk", s.desk.Run)
		whole(1, "page", s.web.Run)
	}
	var beside sync.WaitGroup
	beside.Go(func() { s.shared.models.run(ctx) })
	if s.shared.guarantor != nil {
		beside.Go(func() { s.shared.guarantor.run(ctx) })
	}
	if s.shared.analysis != nil {
		beside.Go(func() { s.shared.analysis.Summarize(ctx) })
	}
	if s.shared.learner != nil {
		beside.Go(func() { s.shared.learner.run(ctx) })
	}
	if s.shared.judged != nil {
		beside.Go(func() { s.shared.judged.run(ctx) })
		beside.Go(func() { s.shared.habits.run(ctx) })
		beside.Go(func() { s.shared.twins.run(ctx) })
		beside.Go(func() { s.shared.suspects.run(ctx) })
	}
	wait.Wait()
	cancel()
	beside.Wait()
	return errors.Join(append(errs, s.release())...)
}

// Failed returns why a step of this process has stopped, if one has.
func (s *System) Failed() error {
	for _, r := range s.steps {
		if _, err := r.get(); err != nil {
			return fmt.Errorf("step %s: %w", r.name, err)
		}
	}
	return nil
}

// Status describes every step of the flow: those of this process as they run, others by their lag.
func (s *System) Status(ctx context.Context) (web.Status, error) {
	out := web.Status{Version: s.c.Version, Started: s.started, Now: time.Now().UTC()}
	if s.shared.models.fleet != nil {
		out.Serving = s.shared.models.fleet.Serving()
	}
	for _, step := range stages.Flow() {
		if step.External {
			continue
		}
		i := slices.IndexFunc(s.steps, func(r *running) bool { return r.name == step.Name })
		if i < 0 {
			status, err := s.c.elsewhere(ctx, step)
			if err != nil {
				return out, err
			}
			out.Steps = append(out.Steps, status)
			continue
		}
		r := s.steps[i]
		stats := r.runner.Stats()
		state, failed := r.get()
		status := web.StepStatus{
			Step: step.Name, State: state, In: stats.In, Out: stats.Out, Rejected: stats.Rejected, Dead: stats.Dead,
			Lag: stats.Lag, InFlight: int64(stats.InFlight), Rate: stats.Rate,
			P50: millis(stats.P50), P95: millis(stats.P95), LastError: stats.LastError, LastErrorAt: stats.ErrorAt,
		}
		if step.Name == "prelabel" {
			if f := s.shared.models.fleet.Failures(); f.At.After(status.LastErrorAt) {
				status.LastError, status.LastErrorAt = f.Last.Error(), f.At
			}
		}
		if failed != nil {
			status.LastError = failed.Error()
		}
		out.Steps = append(out.Steps, status)
	}
	return out, nil
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// Lags describes every step as one that runs elsewhere: by what it has not read yet.
func (c *Connections) Lags(ctx context.Context) (web.Status, error) {
	out := web.Status{Version: c.Version, Now: time.Now().UTC()}
	for _, step := range stages.Flow() {
		if step.External {
			continue
		}
		status, err := c.elsewhere(ctx, step)
		if err != nil {
			return out, err
		}
		out.Steps = append(out.Steps, status)
	}
	return out, nil
}

func (c *Connections) elsewhere(ctx context.Context, step stages.Step) (web.StepStatus, error) {
	status := web.StepStatus{Step: step.Name, State: "elsewhere"}
	lags, err := c.lag(ctx, step)
	if err != nil {
		return status, fmt.Errorf("status of step %s: %w", step.Name, err)
	}
	for _, l := range lags {
		status.Lag += l.Records
	}
	return status, nil
}

// Queue counts the tasks of a queue on this process's desk.
func (s *System) Queue(name string) schemas.QueueCount {
	for _, q := range s.desk.Counts() {
		if q.Queue == name {
			return q
		}
	}
	return schemas.QueueCount{Queue: name}
}
