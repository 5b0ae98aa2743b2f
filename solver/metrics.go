package solver

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts and times calls. Its labels have few values whatever is asked.
type metrics struct{ calls *prometheus.HistogramVec }

func newMetrics() metrics {
	return metrics{prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "signpost_solver_duration_seconds",
		Help:    "Duration of cert-manager's calls, by action (present, cleanup) and result (success, error).",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20},
	}, []string{"action", "result"})}
}

func (m metrics) observe(action string, start time.Time, err error) {
	result := "success"
	if err != nil {
		result = "error"
	}
	m.calls.WithLabelValues(action, result).Observe(time.Since(start).Seconds())
}

// Describe implements prometheus.Collector.
func (s *Solver) Describe(ch chan<- *prometheus.Desc) { s.metrics.calls.Describe(ch) }

// Collect implements prometheus.Collector.
func (s *Solver) Collect(ch chan<- prometheus.Metric) { s.metrics.calls.Collect(ch) }
