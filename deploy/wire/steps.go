package wire

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"gleaner/connectors/blob"
	"gleaner/connectors/clickhouse"
	"gleaner/connectors/kafka"
	"gleaner/schemas"
	"gleaner/schemas/labelmap"
	"gleaner/stages"
	"gleaner/stages/analysis"
	"gleaner/stages/audit"
	"gleaner/stages/catalog"
	"gleaner/stages/corrections"
	"gleaner/stages/humanlabel"
	"gleaner/stages/ingest"
	"gleaner/stages/lint"
	"gleaner/stages/pixels"
	"gleaner/stages/prelabel"
	"gleaner/stages/route"
	"gleaner/stages/rules"
	"gleaner/stages/runner"
	"gleaner/stages/superpixel"
	"gleaner/stages/taxonomy"
)

// shared is what the steps of one process have in common.
type shared struct {
	images  *pixels.Cache
	maps    *labelmap.Recent // nil: not both superpixel and lint run here
	models  *roster
	classes *taxonomy.Registry
	rules   *rules.Registry
	guard   *runner.Guard
	metrics *prometheus.Registry

	learner   *learner       // nil: no prelabel runs here
	lint      *lint.Lint     // nil: neither lint nor the desk runs here
	judged    *judgedLearner // nil likewise
	habits    *habits        // nil likewise
	twins     *twins         // nil likewise
	suspects  *suspects      // nil likewise
	guarantor *guarantor     // nil: neither route nor the desk runs here
	analysis  *analysis.Step // nil: it does not run here
}

func (c *Connections) newShared(names []string, metrics *prometheus.Registry) (*shared, error) {
	s := &shared{
		images: pixels.NewCache(c.Config.Pixels.Cache, c.Blobs.Get), rules: &rules.Registry{}, metrics: metrics,
	}
	s.classes = taxonomy.NewRegistry(s.rules.Rules)
	s.models = c.newRoster(names, taxonomy.NewTranslations(s.classes, c.Log))
	if slices.Contains(names, "superpixel") && slices.Contains(names, "lint") {
		s.maps = labelmap.NewRecent(int(c.Config.Pixels.Cache / 16))
	}
	var err error
	if s.guard, err = runner.OpenGuard(filepath.Join(c.Config.DataDir, "state"), c.Log); err != nil {
		return nil, err
	}
	if slices.Contains(names, "prelabel") {
		s.learner = newLearner(c.DB, "", s.classes, c.Log)
	}
	if slices.Contains(names, "lint") || slices.Contains(names, DeskStep) {
		failures := prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "gleaner", Subsystem: "lint", Name: "evidence_failures_total", Help: "Questions to the database whose answer lint did without.",
		}, []string{"evidence"})
		metrics.MustRegister(failures)
		s.judged, s.habits = newJudgedLearner(c.DB, c.Log), newHabits(c.DB, c.Log)
		s.twins = newTwins(c.DB, c.Log, failures.WithLabelValues("twins").Inc)
		s.suspects = newSuspects(c.DB, c.Log, failures.WithLabelValues("losses").Inc)
		s.lint, err = lint.New(c.Config.Lint, lint.Deps{
			Classes: s.models.known, Models: s.models.own, Taxonomy: s.classes, Demands: s.rules, Images: s.images, Maps: s.maps, Habits: s.habits, Twins: s.twins, Losses: s.suspects,
			Learned: s.judged.book, Version: c.Version,
		})
		if err != nil {
			return nil, err
		}
	}
	if recalls := slices.Contains(names, "route"); recalls || slices.Contains(names, DeskStep) {
		s.guarantor = c.newGuarantor(s, recalls)
		metrics.MustRegister(s.guarantor)
	}
	s.models.updated = func() { s.await(names) }
	s.await(names)
	if s.models.fleet != nil {
		metrics.MustRegister(s.models.fleet)
	}
	return s, nil
}

// await lets ingest wait for the steps that look at images.
func (s *shared) await(names []string) {
	users := 0
	if s.models.fleet != nil {
		for _, set := range s.models.fleet.Serving() {
			if len(set.Models) > 0 {
				users++
				break
			}
		}
	}
	for _, name := range []string{"superpixel", "lint"} {
		if slices.Contains(names, name) {
			users++
		}
	}
	s.images.Await(users)
}

// step makes the runner of one step of the flow.
func (c *Connections) step(name string, s *shared) (*runner.Runner, error) {
	step, ok := stages.Find(stages.Flow(), name)
	if !ok || step.External {
		return nil, fmt.Errorf("step %q: no such step: `gleaner flow` lists them", name)
	}
	deps := runner.Deps{
		Sink: c.Kafka.Sink(), Log: c.Log, Guard: s.guard, Metrics: s.metrics,
		Lag: func(ctx context.Context) ([]runner.Lag, error) { return c.lag(ctx, step) },
	}
	var err error
	if deps.Handler, deps.Batch, err = c.handler(name, s); err != nil {
		return nil, fmt.Errorf("step %s: %w", name, err)
	}
	cfg := c.Config.Step(name)
	var linger time.Duration
	switch {
	case deps.Batch != nil:
		linger = cfg.BatchWait / 4 // records gather for a batch anyway, and cost less where they are
	case name == "publish":
		linger = 100 * time.Millisecond // of the commands that it reads few are submissions, and nobody waits for these
	}
	for _, topic := range step.In {
		source, err := c.Kafka.Source(kafka.SourceConfig{Group: step.Group(), Topic: topic, Linger: linger})
		if err != nil {
			return nil, fmt.Errorf("step %s: %w", name, err)
		}
		deps.Sources = append(deps.Sources, source)
	}
	return runner.New(name, cfg, deps)
}

func (c *Connections) handler(name string, s *shared) (runner.Handler, runner.BatchHandler, error) {
	switch name {
	case "ingest":
		fetcher, err := blob.NewFetcher(c.Config.Fetch)
		if err != nil {
			return nil, nil, err
		}
		cfg := c.Config.Ingest
		if c.Config.Blob.Local() {
			cfg.Inline = 0
		}
		h, err := ingest.New(cfg, ingest.Deps{Blobs: c.Blobs, Twins: clickhouse.NewTwins(c.DB), Users: c.DB, Fetcher: fetcher, Images: s.images, Version: c.Version})
		return h, nil, err
	case "prelabel":
		p, err := prelabel.New(c.Config.Prelabel, prelabel.Deps{
			Models: s.models.fleet, Images: s.images, Classes: s.models.spaces, Learned: s.learner.book, Rules: s.rules, Version: c.Version,
		})
		if err != nil {
			return nil, nil, err
		}
		return runner.SamplesAnd(p.ProcessAndEmbed, schemas.Prelabeled, c.Blobs), nil, nil
	case "superpixel":
		p, err := superpixel.New(c.Config.Superpixel, s.images, s.maps, c.Version)
		if err != nil {
			return nil, nil, err
		}
		return runner.Samples(p, schemas.Segmented, c.Blobs), nil, nil
	case "lint":
		return runner.Samples(s.lint, schemas.Linted, c.Blobs), nil, nil
	case "route":
		h, err := route.New(c.Config.Route, c.Blobs, c.DB, s.guarantor.book, s.rules, c.Version, c.Log)
		return h, nil, err
	case "publish":
		return humanlabel.NewPublisher(c.Kafka, c.Blobs, c.Version, c.Log), nil, nil
	case "catalog":
		return nil, catalog.New(c.DB, c.Blobs, c.Log), nil
	case "corrections":
		return nil, corrections.New(c.DB, c.Blobs, s.classes.Path, s.rules, c.Log), nil
	case "audit":
		return nil, audit.New(c.DB, c.Blobs, c.Log), nil
	case "analysis":
		h, err := analysis.New(c.Config.Analysis, c.DB, c.Blobs, s.rules, c.Log)
		if err != nil {
			return nil, nil, err
		}
		s.analysis = h
		s.metrics.MustRegister(h)
		return nil, h, nil
	}
	return nil, nil, fmt.Errorf("the flow names it, but nothing makes it")
}

// prepareWithin bounds how long the image of a claimed task is fetched and decoded for.
const prepareWithin = 10 * time.Second

// prepare has the pixels of a sample decoded by the time that lint is asked about its submission.
func (s *shared) prepare(sample schemas.Sample) {
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), prepareWithin)
		defer cancel()
		_, _ = s.images.Image(ctx, sample.Image) // lint can do without
	}()
}

// doubts is what lint will find in an annotation once it has been submitted.
func (s *shared) doubts(ctx context.Context, sample schemas.Sample, work schemas.Annotation, actor string) ([]schemas.Finding, error) {
	out, err := s.lint.Process(ctx, humanlabel.Submitted(sample, work, actor))
	if err != nil {
		return nil, err
	}
	return out[0].Findings, nil
}

func (c *Connections) lag(ctx context.Context, step stages.Step) ([]runner.Lag, error) {
	lags := make([]runner.Lag, 0, len(step.In))
	for _, topic := range step.In {
		l, err := c.Kafka.Lag(ctx, step.Group(), topic)
		if err != nil {
			return nil, err
		}
		lags = append(lags, runner.Lag{Topic: topic, Records: l.Records, Gone: l.Gone, Oldest: l.Oldest})
	}
	return lags, nil
}
