package dnsserve

import (
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus"
)

// stats counts what is answered. Its labels have a fixed set of values.
type stats struct {
	answers   [2][24]atomic.Uint64 // by transport and response code
	truncated atomic.Uint64
	ignored   atomic.Uint64
}

func (s *stats) count(tcp bool, rcode int, truncated bool) {
	t := 0
	if tcp {
		t = 1
	}
	s.answers[t][min(rcode, len(s.answers[t])-1)].Add(1)
	if truncated {
		s.truncated.Add(1)
	}
}

func (s *stats) ignore() { s.ignored.Add(1) }

var (
	transports    = [2]string{"udp", "tcp"}
	descAnswers   = prometheus.NewDesc("signpost_dns_responses_total", "DNS queries answered, by transport and response code.", []string{"transport", "rcode"}, nil)
	descTruncated = prometheus.NewDesc("signpost_dns_truncated_total", "DNS answers that did not fit into a UDP packet and were sent with TC set.", nil, nil)
	descIgnored   = prometheus.NewDesc("signpost_dns_ignored_total", "Packets met with silence: too short to be a DNS message, or answers.", nil, nil)
)

// Describe implements prometheus.Collector.
func (s *Server) Describe(ch chan<- *prometheus.Desc) {
	ch <- descAnswers
	ch <- descTruncated
	ch <- descIgnored
	ch <- descTransfers
	ch <- descNotifies
	ch <- descLags
	ch <- descSerial
}

// Collect implements prometheus.Collector.
func (s *Server) Collect(ch chan<- prometheus.Metric) {
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	for t := range s.stats.answers {
		for rcode := range s.stats.answers[t] {
			if v := s.stats.answers[t][rcode].Load(); v > 0 || rcode == dns.RcodeSuccess {
				counter(descAnswers, v, transports[t], rcodeName(rcode))
			}
		}
	}
	counter(descTruncated, s.stats.truncated.Load())
	counter(descIgnored, s.stats.ignored.Load())
	if s.transfers != nil {
		s.transfers.collect(ch)
	}
}

// transferKind is how a transfer is answered.
type transferKind int

const (
	transferAXFR transferKind = iota
	transferIXFR
	transferCurrent // the secondary has the current version already
	transferFailed
)

var transferKinds = [...]string{"axfr", "ixfr", "current", "failed"}

// transferStats counts what is transferred.
type transferStats struct {
	sent    [len(transferKinds)]atomic.Uint64
	refused atomic.Uint64
}

var (
	descTransfers = prometheus.NewDesc("signpost_dns_transfers_total", "Zone transfers to secondaries, by what was sent: axfr the whole zone, ixfr the changes, current nothing because the secondary has all; failed and refused.", []string{"result"}, nil)
	descNotifies  = prometheus.NewDesc("signpost_dns_notifies_total", "NOTIFY messages to secondaries, by address and whether they were acknowledged.", []string{"server", "result"}, nil)
	descLags      = prometheus.NewDesc("signpost_dns_secondary_behind_seconds", "For how long a secondary has not had the zone's current version, although it was told of it; 0 where it has.", []string{"server"}, nil)
	descSerial    = prometheus.NewDesc("signpost_dns_serial", "Serial of the zone that secondaries get; the same on all replicas.", nil, nil)
)

// collect reports what is transferred.
func (t *transfers) collect(ch chan<- prometheus.Metric) {
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	for i := range t.stats.sent {
		counter(descTransfers, t.stats.sent[i].Load(), transferKinds[i])
	}
	counter(descTransfers, t.stats.refused.Load(), "refused")
	seen, lags := map[netip.AddrPort]bool{}, map[netip.AddrPort]time.Duration{} // several secondaries may be told at one address
	for _, n := range t.notifiers {
		if !seen[n.server] {
			counter(descNotifies, n.acknowledged.Load(), n.server.String(), "acknowledged")
			counter(descNotifies, n.unanswered.Load(), n.server.String(), "unanswered")
		}
		seen[n.server] = true
		lags[n.server] = max(lags[n.server], n.behindFor(time.Now()))
	}
	for server, d := range lags {
		ch <- prometheus.MustNewConstMetric(descLags, prometheus.GaugeValue, d.Seconds(), server.String())
	}
	if serial, ok := t.Versions.Serial(); ok {
		ch <- prometheus.MustNewConstMetric(descSerial, prometheus.GaugeValue, float64(serial))
	}
}

func rcodeName(rcode int) string {
	if rcode == dns.RcodeBadVers {
		return "BADVERS" // miekg/dns calls it BADSIG, which shares the number
	}
	if name, ok := dns.RcodeToString[rcode]; ok {
		return name
	}
	return "other"
}
