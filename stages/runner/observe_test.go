package runner

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"gleaner/schemas"
)

// The alarm begins past half of the retention, once, and ends below it; what lasts forever never alarms.
func TestRetentionAlarm(t *testing.T) {
	var logged bytes.Buffer
	r := start(t, testConfig(), Deps{
		Sources: []Source{newSource(t, 0, nil)}, Sink: newSink(), Handler: copyTo(schemas.Linted),
		Log: slog.New(slog.NewTextHandler(&logged, nil)),
	})
	spec, _ := schemas.Samples.Spec()
	now, alarmed := time.Now(), map[schemas.Topic]bool{}
	for i, c := range []struct {
		lag    Lag
		alarm  bool
		errors int // logged so far
	}{
		{Lag{Topic: schemas.Samples, Records: 5, Oldest: now.Add(-spec.Retention/2 + time.Minute)}, false, 0},
		{Lag{Topic: schemas.Samples, Records: 5, Oldest: now.Add(-spec.Retention/2 - time.Minute)}, true, 1},
		{Lag{Topic: schemas.Samples, Records: 5, Oldest: now.Add(-spec.Retention/2 - time.Hour)}, true, 1},
		{Lag{Topic: schemas.Samples, Records: 0, Oldest: now.Add(-spec.Retention)}, false, 1},
		{Lag{Topic: schemas.Samples, Records: 5, Gone: 1, Oldest: now}, true, 2},
		{Lag{Topic: schemas.Samples, Records: 5}, false, 2}, // nothing known, nothing read
		{Lag{Topic: schemas.Labels, Records: 5, Oldest: now.Add(-10 * 365 * 24 * time.Hour)}, false, 2},
	} {
		r.weigh([]Lag{c.lag}, alarmed, now)
		s := r.Stats()
		if s.Alarm != c.alarm || s.Lag != c.lag.Records || strings.Count(logged.String(), "level=ERROR") != c.errors {
			t.Errorf("%d: alarm %v, lag %d, log:\n%s", i, s.Alarm, s.Lag, logged.String())
		}
	}
	// With no time from outside, the record read last tells: what is unread is younger still.
	r.stats.seen(schemas.Record{Topic: schemas.Samples, Time: now.Add(-spec.Retention)})
	r.weigh([]Lag{{Topic: schemas.Samples, Records: 1}}, alarmed, now)
	if s := r.Stats(); !s.Alarm || s.LagAge != spec.Retention {
		t.Errorf("by the record read last: %+v", s)
	}
}

func TestHistogramQuantiles(t *testing.T) {
	var h histogram
	if q := h.quantile(0.5); q != 0 {
		t.Errorf("quantile of nothing is %v", q)
	}
	for i := 1; i <= 1000; i++ {
		h.observe(time.Duration(i) * time.Millisecond)
	}
	for q, want := range map[float64]time.Duration{0.01: 10 * time.Millisecond, 0.5: 500 * time.Millisecond, 0.95: 950 * time.Millisecond, 1: time.Second} {
		if got := h.quantile(q); float64(got) < 0.9*float64(want) || float64(got) > 1.1*float64(want) {
			t.Errorf("quantile %g is %v, want about %v", q, got, want)
		}
	}
	h.observe(-time.Second) // clocks differ between machines
	h.observe(1000 * time.Hour)
	var last uint64
	for _, n := range h.coarse() {
		last = max(last, n)
	}
	if last != 1001 { // all but the one beyond the largest bound
		t.Errorf("%d in the coarse buckets", last)
	}
}

func TestMeter(t *testing.T) {
	var m meter
	began := time.Unix(1000, 0)
	for s := range 30 {
		m.add(began.Add(time.Duration(s)*time.Second), 50)
	}
	if got := m.perSecond(began.Add(29999*time.Millisecond), began); got < 49 || got > 51 {
		t.Errorf("rate %g, want 50", got)
	}
	if got := m.perSecond(began.Add(time.Minute), began); got != 0 {
		t.Errorf("rate %g after a pause", got)
	}
}

// Prometheus sees each step's figures, and two steps live on one registry.
func TestMetrics(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	sink, source := newSink(), newSource(t, 10, nil)
	r := start(t, testConfig(), Deps{Sources: []Source{source}, Sink: sink, Handler: copyTo(schemas.Rejects), Metrics: reg})
	other, err := New("other", testConfig(), Deps{Sources: []Source{newSource(t, 0, nil)}, Sink: sink, Handler: copyTo(schemas.Linted), Metrics: reg, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			got[f.GetName()+"/"+m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	for name, want := range map[string]float64{
		"gleaner_step_in_total/lint": 10, "gleaner_step_rejected_total/lint": 10, "gleaner_step_rejected_total/other": 0,
		"gleaner_step_out_total/lint": 0, "gleaner_step_latency_seconds/lint": 10, "gleaner_step_age_seconds/other": 0,
	} {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("%s is %g (there: %v), want %g", name, v, ok, want)
		}
	}
	if _, err := New("lint", testConfig(), other.deps); err == nil {
		t.Error("two steps of one name on one registry")
	}
}

func TestConfigValidate(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Fatal(err)
	}
	for want, spoil := range map[string]func(*Config){
		"concurrency must be above zero":           func(c *Config) { c.Concurrency = 0 },
		"max_in_flight_records must be above zero": func(c *Config) { c.MaxInFlightRecords = 0 },
		"max_in_flight_bytes must be above zero":   func(c *Config) { c.MaxInFlightBytes = 0 },
		"batch_records must be above zero":         func(c *Config) { c.BatchRecords = 0 },
		"batch_bytes must be above zero":           func(c *Config) { c.BatchBytes = -1 },
		"batch_wait must be above zero":            func(c *Config) { c.BatchWait = 0 },
		"retry_min must be above zero":             func(c *Config) { c.RetryMin = 0 },
		"retry_max 1ms is below retry_min 50ms":    func(c *Config) { c.RetryMax = time.Millisecond },
		"retry_attempts -1 is negative":            func(c *Config) { c.RetryAttempts = -1 },
		"fault_window must be above zero":          func(c *Config) { c.FaultWindow = 0 },
		"fault_limit 1000 must be at least 0":      func(c *Config) { c.FaultLimit = 1000 },
		"fault_limit -1 must be at least 0":        func(c *Config) { c.FaultLimit = -1 },
		"drain_timeout must be above zero":         func(c *Config) { c.DrainTimeout = 0 },
		"lag_every must be above zero":             func(c *Config) { c.LagEvery = 0 },
	} {
		c := DefaultConfig()
		spoil(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	ok := Deps{Sources: []Source{newSource(t, 0, nil)}, Sink: newSink(), Handler: copyTo(schemas.Linted), Log: slog.New(slog.DiscardHandler)}
	for want, spoil := range map[string]func(*Deps){
		"exactly one of Handler and Batch": func(d *Deps) { d.Handler = nil },
		"sources, a sink and a log":        func(d *Deps) { d.Sources = nil },
	} {
		d := ok
		spoil(&d)
		if _, err := New("lint", DefaultConfig(), d); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	if _, err := New("", DefaultConfig(), ok); err == nil {
		t.Error("a step without a name")
	}
	if _, err := New("lint", Config{}, ok); err == nil {
		t.Error("a configuration of zeros")
	}
}

func TestDeadLetterErrorIsClipped(t *testing.T) {
	long := strings.Repeat("ä", maxErrorHeader)
	l := deadLetter(schemas.Record{}, "lint", &schemas.Fault{Reason: "x", Err: errors.New(long)})
	got, _ := l.Header(schemas.HeaderError)
	if len(got) > maxErrorHeader+len("…") || !strings.HasSuffix(got, "ä…") {
		t.Errorf("%d bytes, ends in %q", len(got), got[len(got)-5:])
	}
}
