package status

import (
	"testing"
	"time"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/cluster"
)

// While nothing changes in the cluster the list of domains is not made again but now
// and then; what is found is shown all the same, and what somebody was shown already is
// never changed.
func TestQuiet(t *testing.T) {
	f := &fakeWorld{certificates: []cluster.Certificate{certificate("web", "a", "web", "a.example.com")}, findings: map[string][]check.Finding{"web/a.example.com": {{Check: "cname-missing", Status: check.Failed}}}}
	collecting(t, f, nil, func(t *testing.T, c *Collector) {
		time.Sleep(2 * interval)
		f.set(func() { f.busy = 0 })
		time.Sleep(time.Minute)
		before := c.Snapshot()
		if len(before.Domains) != 1 || before.Domains[0].Checks[0].Status != check.Failed {
			t.Fatalf("%+v", before.Domains)
		}
		f.set(func() { f.findings = nil })
		time.Sleep(atOnce*11/10 + interval)
		if now := c.Snapshot(); now.Domains[0].Checks[0].Status != check.OK || now.Domains[0].Certificates[0].Forecast.Because != "" {
			t.Errorf("what was found is not shown: %+v", now.Domains[0])
		}
		if was, is := before.Domains[0].CheckedAt, c.Snapshot().Domains[0].CheckedAt; was.IsZero() || !is.After(was) {
			t.Errorf("looked at %v, then %v", was, is)
		}
		if before.Domains[0].Checks[0].Status != check.Failed || before.Domains[0].Certificates[0].Forecast.Because != "cname-missing" {
			t.Errorf("what was shown has been changed: %+v", before.Domains[0])
		}
		made := 0
		for last, end := c.Snapshot(), time.Now().Add(time.Minute); time.Now().Before(end); {
			time.Sleep(interval)
			s := c.Snapshot()
			if &s.Domains[0] != &last.Domains[0] {
				made++
			}
			if !s.At.After(last.At) {
				t.Errorf("it gets old: %v", s.At)
			}
			last = s
		}
		if made < 1 || made > 3 {
			t.Errorf("made %d times in a minute", made)
		}
		f.set(func() {
			f.certificates, f.busy = append(f.certificates, certificate("web", "b", "web", "b.example.com")), 1
		})
		time.Sleep(2 * interval)
		if s := c.Snapshot(); len(s.Domains) != 2 {
			t.Errorf("%d domains after a change", len(s.Domains))
		}
	})
}
