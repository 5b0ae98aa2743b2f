package server

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/internal/gate"
)

// gauges are the metrics of the copy.
func (r *replica) gauges() prometheus.Collector {
	return collectors{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "signpost_records_names", Help: "Names that have challenge values, in this replica's copy."},
			func() float64 { return float64(r.copy.Len()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "signpost_records_synced", Help: "1 once the record store has been read in full, 0 before."},
			func() float64 { return oneIf(r.copy.Synced()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "signpost_records_current", Help: "1 while this replica knows which names have no values, 0 while it answers SERVFAIL for them."},
			func() float64 { return oneIf(r.copy.Fresh()) }),
	}
}

// slots is how many challenges cert-manager works on at a time, by default.
const slots = 60

// metrics are those of what waits in the cluster.
func (w *Webhook) metrics(k *cluster.Cluster, requests *gate.Watcher) prometheus.Collector {
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	return collectors{
		gauge("signpost_gate_waiting", "Certificate requests whose Order is denied because an owner's record is not there.",
			func() float64 { return float64(requests.Waiting()) }),
		gauge("signpost_gate_unnamed_issuers", "Issuers that share the ACME account of a ClusterIssuer with strict namespaces and are not named in the gate's settings: their Orders are denied.",
			func() float64 { return float64(len(k.Unnamed())) }),
		gauge("signpost_challenges_waiting", "Challenges that wait inside cert-manager's queue because their record is not there.",
			func() float64 { return float64(k.WaitingChallenges()) }),
		gauge("signpost_challenges_processing", "Challenges that cert-manager works on now, whoever solves them.",
			func() float64 { return float64(k.ProcessingChallenges()) }),
		gauge("signpost_challenge_slots", "Challenges that cert-manager works on at a time, by default.",
			func() float64 { return slots }),
		gauge("signpost_webhook_certificate_expiry_timestamp_seconds", "When the certificate of the API port expires, in Unix time; 0 if it is not in a file.",
			func() float64 {
				if t := w.webhook.expiry(); !t.IsZero() {
					return float64(t.Unix())
				}
				return 0
			}),
	}
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// collectors makes one Collector of several.
type collectors []prometheus.Collector

func (c collectors) Describe(ch chan<- *prometheus.Desc) {
	for _, x := range c {
		x.Describe(ch)
	}
}

func (c collectors) Collect(ch chan<- prometheus.Metric) {
	for _, x := range c {
		x.Collect(ch)
	}
}
