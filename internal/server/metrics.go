package server

import "github.com/prometheus/client_golang/prometheus"

// gauges are the metrics of the copy.
func (r *replica) gauges() prometheus.Collector {
	return collectors{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "signpost_records_names", Help: "Names that have challenge values, in this replica's copy."},
			func() float64 { return float64(r.copy.Len()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "signpost_records_synced", Help: "1 once the record store has been read in full, 0 before."},
			func() float64 { return oneIf(r.copy.Synced()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "signpost_records_current", Help: "1 while this replica knows which names have no values, 0 while it answers SERVFAIL for them."},
			func() float64 { return oneIf(r.copy.Current()) }),
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
