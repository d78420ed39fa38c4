package kafka

import "github.com/prometheus/client_golang/prometheus"

// metrics are a client's counters. The Client is itself the collector that exposes them.
type metrics struct {
	read, written, lost          *prometheus.CounterVec
	rebalances, commits, retries *prometheus.CounterVec
	readBytes, writtenBytes      *prometheus.CounterVec
	fenced, readErrors, tooLarge *prometheus.CounterVec
}

func newMetrics() *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "gleaner", Subsystem: "kafka", Name: name, Help: help}, labels)
	}
	return &metrics{
		read:         counter("records_read_total", "Records handed out by sources.", "group", "topic"),
		readBytes:    counter("bytes_read_total", "Payload bytes handed out by sources.", "group", "topic"),
		lost:         counter("records_lost_total", "Records that were gone from the log before the group read them.", "group", "topic"),
		readErrors:   counter("read_errors_total", "Transient errors of partition readers.", "topic"),
		rebalances:   counter("generations_total", "Generations of the consumer group that sources took part in.", "group", "topic"),
		commits:      counter("commit_errors_total", "Offset commits that failed.", "group", "topic"),
		fenced:       counter("fenced_total", "Times that a source found itself removed from its group.", "group", "topic"),
		written:      counter("records_written_total", "Records made durable by sinks.", "topic"),
		writtenBytes: counter("bytes_written_total", "Payload bytes made durable by sinks.", "topic"),
		retries:      counter("write_retries_total", "Writes of records tried again by sinks.", "topic"),
		tooLarge:     counter("records_too_large_total", "Records refused because they exceed their topic's limit.", "topic"),
	}
}

func (m *metrics) all() []*prometheus.CounterVec {
	return []*prometheus.CounterVec{m.read, m.readBytes, m.lost, m.readErrors, m.rebalances, m.commits, m.fenced, m.written, m.writtenBytes, m.retries, m.tooLarge}
}

// Describe implements prometheus.Collector.
func (c *Client) Describe(ch chan<- *prometheus.Desc) {
	for _, v := range c.metrics.all() {
		v.Describe(ch)
	}
}

// Collect implements prometheus.Collector.
func (c *Client) Collect(ch chan<- prometheus.Metric) {
	for _, v := range c.metrics.all() {
		v.Collect(ch)
	}
}
