package prelabel

import (
	"maps"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	servingDesc = prometheus.NewDesc("gleaner_model_serving", "1 for every model that serves a dataset, \"*\" being those without models of their own.", []string{"dataset", "model", "role"}, nil)
	samplesDesc = prometheus.NewDesc("gleaner_model_samples_total", "Samples that a model was asked about.", []string{"model"}, nil)
	refusedDesc = prometheus.NewDesc("gleaner_model_refused_total", "Sets of models that were to serve and were refused.", nil, nil)
)

// Describe implements prometheus.Collector.
func (f *Fleet) Describe(ch chan<- *prometheus.Desc) {
	ch <- servingDesc
	ch <- samplesDesc
	ch <- refusedDesc
}

// Collect implements prometheus.Collector.
func (f *Fleet) Collect(ch chan<- prometheus.Metric) {
	f.mu.Lock()
	lineups, samples, refused := maps.Clone(f.lineups), maps.Clone(f.samples), f.failed.Refused
	f.mu.Unlock()
	for dataset, l := range lineups { // lineups never change
		for _, role := range []struct {
			name   string
			models []string
		}{{"all", l.set.Models}, {"canary", l.set.Canary}} {
			for _, model := range role.models {
				if l.members != nil {
					ch <- prometheus.MustNewConstMetric(servingDesc, prometheus.GaugeValue, 1, dataset, model, role.name)
				}
			}
		}
	}
	for model, n := range samples {
		ch <- prometheus.MustNewConstMetric(samplesDesc, prometheus.CounterValue, float64(n), model)
	}
	ch <- prometheus.MustNewConstMetric(refusedDesc, prometheus.CounterValue, float64(refused))
}
