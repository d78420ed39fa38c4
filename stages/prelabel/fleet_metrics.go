package prelabel

import (
	"maps"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	servingDesc = prometheus.NewDesc("gleaner_model_serving", "Share of a dataset's samples that a model looks at; \"*\" are the datasets without models of their own.", []string{"dataset", "model", "role"}, nil)
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
	for dataset, set := range f.Serving() {
		for _, id := range set.Models {
			ch <- prometheus.MustNewConstMetric(servingDesc, prometheus.GaugeValue, 1-set.Share, dataset, id, "models")
		}
		for _, id := range set.Canary {
			ch <- prometheus.MustNewConstMetric(servingDesc, prometheus.GaugeValue, set.Share, dataset, id, "canary")
		}
	}
	f.mu.Lock()
	samples, refused := maps.Clone(f.samples), f.failed.Refused
	f.mu.Unlock()
	for model, n := range samples {
		ch <- prometheus.MustNewConstMetric(samplesDesc, prometheus.CounterValue, float64(n), model)
	}
	ch <- prometheus.MustNewConstMetric(refusedDesc, prometheus.CounterValue, float64(refused))
}
