package gate

import "github.com/prometheus/client_golang/prometheus"

// The results of reviews.
const (
	resultAllowed = "allowed"
	resultDenied  = "denied"
	resultIgnored = "ignored" // the Order has nothing to do with us
	resultError   = "error"   // the request could not be read
)

type metrics struct{ reviews *prometheus.CounterVec }

func newMetrics() metrics {
	m := metrics{prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "signpost_gate_reviews_total",
		Help: "Orders that the API server has asked about, by result (allowed, denied: an owner's record is not there, or the Order is not one that may be, ignored: not ours, error: the request could not be read).",
	}, []string{"result"})}
	for _, result := range []string{resultAllowed, resultDenied, resultIgnored, resultError} {
		m.reviews.WithLabelValues(result)
	}
	return m
}

// Describe implements prometheus.Collector.
func (g *Gate) Describe(ch chan<- *prometheus.Desc) { g.metrics.reviews.Describe(ch) }

// Collect implements prometheus.Collector.
func (g *Gate) Collect(ch chan<- prometheus.Metric) { g.metrics.reviews.Collect(ch) }
