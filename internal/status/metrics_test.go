package status

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/internal/zone"
)

// gathered returns the values of a Collector's metrics, by name and label.
func gathered(t *testing.T, c *Collector) map[string]float64 {
	t.Helper()
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(c)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range families {
		for _, m := range f.Metric {
			name := f.GetName()
			for _, l := range m.Label {
				name += " " + l.GetValue()
			}
			values[name] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return values
}

// Every state and outlook has a value, whatever domains there are; what is at risk says
// for how long, and what is not known has no value at all.
func TestMetrics(t *testing.T) {
	const day = 24 * time.Hour
	f := &fakeWorld{findings: map[string][]check.Finding{
		"web/gone.example.com":   {{Check: "cname-missing", Status: check.Failed}},
		"web/lost.example.com":   {{Check: "cname-missing", Status: check.Failed}},
		"web/silent.example.com": {{Check: "cname-unknown", Status: check.Unknown}},
	}}
	issued := func(name string, left time.Duration, dnsNames ...string) cluster.Certificate {
		c := certificate("web", name, "web", dnsNames...)
		expiry, renewal := time.Now().Add(left), time.Now().Add(left-day)
		c.Ready, c.NotAfter, c.RenewalTime = true, &expiry, &renewal
		return c
	}
	collecting(t, f, nil, func(t *testing.T, c *Collector) {
		f.set(func() { f.follows = false })
		time.Sleep(2 * interval)
		for name := range gathered(t, c) {
			if !strings.HasPrefix(name, "signpost_looks_total") {
				t.Errorf("%s, though Certificates cannot be read", name)
			}
		}
		f.set(func() {
			f.follows = true
			f.certificates = []cluster.Certificate{
				issued("both", 20*day, "gone.example.com", "good.example.com"), issued("later", 30*day, "gone.example.com"),
				issued("good", 10*day, "good.example.com"), issued("silent", 5*day, "silent.example.com"),
				issued("old", -day, "lost.example.com"), certificate("web", "new", "web", "new.example.com"),
			}
			f.requests = []cluster.Request{
				waits("new.example.com", time.Now().Add(-time.Hour), ""), waits("good.example.com", time.Now().Add(-time.Minute), ""),
				waits("never.example.com", time.Now().Add(-day), "never"),
			}
		})
		time.Sleep(4 * interval)
		got := gathered(t, c)
		for name, want := range map[string]float64{
			"signpost_domains failed": 3, "signpost_domains unknown": 1, "signpost_domains warning": 2, "signpost_domains pending": 0, "signpost_domains ok": 0,
			"signpost_certificates at-risk": 2, "signpost_certificates expired": 1, "signpost_certificates renewing": 1,
			"signpost_certificates unknown": 1, "signpost_certificates waiting": 1,
			"signpost_first_expiry_at_risk_seconds": (20*day - 4*interval).Seconds(),
			"signpost_gate_waiting_longest_seconds": (time.Hour + 4*interval).Seconds(),
			"signpost_looks_total ok":               3, "signpost_looks_total failed": 4, "signpost_looks_total unknown": 2,
		} {
			if v, ok := got[name]; !ok || v != want {
				t.Errorf("%s is %v, want %v", name, v, want)
			}
		}
		f.set(func() { f.certificates, f.requests = nil, nil })
		time.Sleep(2 * interval)
		got = gathered(t, c)
		if _, ok := got["signpost_first_expiry_at_risk_seconds"]; ok || got["signpost_gate_waiting_longest_seconds"] != 0 || len(got) != 5+5+5+1 {
			t.Errorf("without Certificates: %v", got)
		}
	})
}

// waits is a request that waits at the gate.
func waits(domain string, since time.Time, refused string) cluster.Request {
	return cluster.Request{Wanted: cluster.Wanted{Targets: []zone.Target{{Scope: "web", Domain: domain}}, Refused: refused}, Namespace: "web", Name: fmt.Sprint("r-", domain), Denied: refused == "", Since: since}
}
