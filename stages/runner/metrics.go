package runner

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// collector shows a step's figures to Prometheus. The step is a constant label, so every step registers its own.
type collector struct {
	stats *recorder
}

func desc(step, name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("gleaner_step_"+name, help, labels, prometheus.Labels{"step": step})
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, ch) }

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	s := c.stats.snapshot(time.Now())
	count := func(name, help string, n uint64) {
		ch <- prometheus.MustNewConstMetric(desc(s.Step, name, help), prometheus.CounterValue, float64(n))
	}
	gauge := func(name, help string, v float64) {
		ch <- prometheus.MustNewConstMetric(desc(s.Step, name, help), prometheus.GaugeValue, v)
	}
	count("in_total", "Records acknowledged.", s.In)
	count("out_total", "Records written, rejects and dead letters not counted.", s.Out)
	count("rejected_total", "Samples rejected for their quality.", s.Rejected)
	count("dead_total", "Dead letters written.", s.Dead)
	count("filtered_total", "Records acknowledged without outputs, on purpose.", s.Filtered)
	count("passed_total", "Replayed records that were meant for another step.", s.Passed)
	count("retries_total", "Attempts to handle or write that failed and were repeated.", s.Retries)
	gauge("in_flight_records", "Records read and not yet acknowledged.", float64(s.InFlight))
	gauge("in_flight_bytes", "Bytes of inputs and outputs held.", float64(s.InFlightBytes))
	gauge("lag_records", "Records not read yet.", float64(s.Lag))
	gauge("lag_seconds", "Age of the oldest record not read yet.", s.LagAge.Seconds())
	alarm := 0.0
	if s.Alarm {
		alarm = 1
	}
	gauge("retention_alarm", "1 when the oldest unread record is past half of its topic's retention.", alarm)

	c.stats.mu.Lock()
	latency, age := c.stats.latency, c.stats.age
	c.stats.mu.Unlock()
	histo := func(name, help string, h *histogram) {
		ch <- prometheus.MustNewConstHistogram(desc(s.Step, name, help), h.count, h.sum.Seconds(), h.coarse())
	}
	histo("latency_seconds", "From a record taken up to its outputs durable.", &latency)
	histo("age_seconds", "From a record written by the step before to its outputs durable here.", &age)
}
