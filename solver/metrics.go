package solver

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts and times calls. Its labels have a fixed set of values.
type metrics struct{ calls *prometheus.HistogramVec }

func newMetrics() metrics {
	return metrics{prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "signpost_solver_duration_seconds",
		Help:    "Duration of cert-manager's calls, by action (present, cleanup) and result (success, refused: by what cert-manager is told the owner, the tenant or the administrator can change, error: ours).",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20},
	}, []string{"action", "result"})}
}

func (m metrics) observe(action string, start time.Time, err error) {
	m.calls.WithLabelValues(action, result(err)).Observe(time.Since(start).Seconds())
}

// result distinguishes our own failures from requests that could not be granted: a missing
// CNAME is for the domain's owner, and no reason for an alert.
func result(err error) string {
	if err == nil {
		return "success"
	}
	for _, ours := range []error{errStore, errStoreRefuses, errNoServer, errNotServed, errChallenges} {
		if errors.Is(err, ours) {
			return "error"
		}
	}
	return "refused"
}

// Describe implements prometheus.Collector.
func (s *Solver) Describe(ch chan<- *prometheus.Desc) { s.metrics.calls.Describe(ch) }

// Collect implements prometheus.Collector.
func (s *Solver) Collect(ch chan<- prometheus.Metric) { s.metrics.calls.Collect(ch) }
