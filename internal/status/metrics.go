package status

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	domainsDesc = prometheus.NewDesc("signpost_domains",
		"Domains of the Certificates that use Signpost, by state (ok, pending, warning, unknown, failed).", []string{"state"}, nil)
	certificatesDesc = prometheus.NewDesc("signpost_certificates",
		"Certificates that use Signpost, by outlook (renewing: the next renewal would pass, waiting: not issued yet, unknown: it cannot be told, at-risk: the next renewal would not pass or is overdue, expired).", []string{"outlook"}, nil)
	firstAtRiskDesc = prometheus.NewDesc("signpost_first_expiry_at_risk_seconds",
		"Time until the first of the certificates at risk expires; absent if none is at risk.", nil, nil)
	waitingDesc = prometheus.NewDesc("signpost_gate_waiting_longest_seconds",
		"For how long the certificate request has waited that waits for its record the longest; 0 if none does.", nil, nil)
)

// Results of looks beside those of findings.
const resultUnchanged = "unchanged" // the record is missing as before: nothing else was asked

func newLooks() *prometheus.CounterVec {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "signpost_looks_total",
		Help: "Looks at domains for the status page and forecasts, by result (ok, warning, failed, unknown: the DNS gave no usable answer, unchanged: the record is missing as before).",
	}, []string{"result"})
	for _, result := range []string{string(OK), string(Warning), string(Failed), string(Unknown), resultUnchanged} {
		v.WithLabelValues(result)
	}
	return v
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{domainsDesc, certificatesDesc, firstAtRiskDesc, waitingDesc} {
		ch <- d
	}
	c.looks.Describe(ch)
}

// Collect implements prometheus.Collector. What is not known has no value: an alert
// must not take it for none.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	c.looks.Collect(ch)
	s, now := c.Snapshot(), time.Now()
	if s.At.IsZero() || s.Cluster != "" {
		return
	}
	var t Tally
	for i := range s.Domains {
		t.Add(&s.Domains[i], s.Domains[i].Mark(now))
	}
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	for _, state := range States {
		gauge(domainsDesc, float64(t.Domains[state]), string(state))
	}
	for _, outlook := range Outlooks {
		gauge(certificatesDesc, float64(t.Outlooks[outlook]), string(outlook))
	}
	if !t.FirstAtRisk.IsZero() {
		gauge(firstAtRiskDesc, t.FirstAtRisk.Sub(now).Seconds())
	}
	waits := 0.0
	if !t.WaitingSince.IsZero() {
		waits = now.Sub(t.WaitingSince).Seconds()
	}
	gauge(waitingDesc, waits)
}
