package wire

import (
	"github.com/prometheus/client_golang/prometheus"

	"gleaner/schemas"
)

func acceptanceMetric(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("gleaner_acceptance_"+name, help, []string{"dataset"}, nil)
}

var (
	metricTarget      = acceptanceMetric("target_error", "Share of accepted images that may have an error.")
	metricBound       = acceptanceMetric("error_bound", "Upper bound of the share of accepted images with an error, with confidence .95 whenever it is read.")
	metricThreshold   = acceptanceMetric("threshold", "Confidence from which images are accepted, or that is tested next.")
	metricAudits      = acceptanceMetric("audits", "Audits of images from the threshold on in the present period.")
	metricNeeded      = acceptanceMetric("audits_needed", "Audits without an error that are missing until images are accepted.")
	metricOutstanding = acceptanceMetric("outstanding", "Audits that are still to come.")
	metricOn          = acceptanceMetric("on", "1 while images are accepted without a person because audits speak for it.")
	metricUnproven    = acceptanceMetric("unproven", "1 while images are accepted without a person before audits speak for it, as the dataset's rules want.")
	metricWithdrawals = acceptanceMetric("withdrawals_total", "How often acceptance was withdrawn.")
)

// Describe implements prometheus.Collector.
func (g *guarantor) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{metricTarget, metricBound, metricThreshold, metricAudits, metricNeeded, metricOutstanding, metricOn, metricUnproven, metricWithdrawals} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (g *guarantor) Collect(out chan<- prometheus.Metric) {
	for _, dataset := range g.datasets() {
		a, ok := g.book.State(dataset)
		if !ok {
			continue
		}
		gauge := func(d *prometheus.Desc, v float64) {
			out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, dataset)
		}
		is := func(state schemas.AcceptanceState) float64 {
			if a.State == state {
				return 1
			}
			return 0
		}
		gauge(metricTarget, 1-a.Target)
		gauge(metricBound, a.Bound)
		gauge(metricThreshold, a.Threshold)
		gauge(metricAudits, float64(a.Audits))
		gauge(metricNeeded, float64(a.Needed))
		gauge(metricOutstanding, float64(a.Outstanding))
		gauge(metricOn, is(schemas.AcceptanceOn))
		gauge(metricUnproven, is(schemas.AcceptanceUnproven))
		out <- prometheus.MustNewConstMetric(metricWithdrawals, prometheus.CounterValue, float64(len(a.Withdrawals)), dataset)
	}
}
