package status

import (
	"testing"
	"time"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/cluster"
)

// A resolver that answers nothing for an hour: it is said since when, and what was
// known before is kept, with its date, until a look can tell again.
func TestDoubt(t *testing.T) {
	const key = "web/a.example.com"
	f := &fakeWorld{
		certificates: []cluster.Certificate{certificate("web", "a", "web", "a.example.com")},
		findings:     map[string][]check.Finding{key: {{Check: "cname", Status: check.OK}}},
		delegation:   []check.Finding{{Check: "delegation", Status: check.OK}},
	}
	collecting(t, f, nil, func(t *testing.T, c *Collector) {
		time.Sleep(time.Hour)
		if s := c.Snapshot(); s.Doubt != nil || s.Domains[0].Doubt != nil {
			t.Fatalf("doubt without reason: %+v, %+v", s.Doubt, s.Domains[0].Doubt)
		}
		silent := time.Now()
		f.set(func() {
			f.findings = map[string][]check.Finding{key: {{Check: "cname-unknown", Status: check.Unknown}}}
			f.delegation = []check.Finding{{Check: "delegation-unknown", Status: check.Unknown}, {Status: check.OK}}
		})
		for _, after := range []time.Duration{settled*11/10 + 2*interval, time.Hour} {
			time.Sleep(after)
			s := c.Snapshot()
			for name, d := range map[string]*Doubt{"the server": s.Doubt, "the domain": s.Domains[0].Doubt} {
				switch {
				case d == nil:
					t.Fatalf("%s: no doubt after %v", name, after)
				case d.Since.Before(silent) || d.Since.After(silent.Add(settled*11/10+interval)):
					t.Errorf("%s: cannot be told since %v after it began", name, d.Since.Sub(silent))
				case d.KnownAt == nil || d.KnownAt.After(silent) || len(d.Known) != 1 || d.Known[0].Status != check.OK:
					t.Errorf("%s: %+v was known", name, d)
				}
			}
			if s.Domains[0].Checks[0].Status != check.Unknown || s.Domains[0].Outlook() != Waiting {
				t.Errorf("what is old is taken for new: %+v", s.Domains[0])
			}
		}
		f.set(func() { f.findings = map[string][]check.Finding{key: {{Check: "cname-missing", Status: check.Failed}}} })
		time.Sleep(slowest*11/10 + 2*interval)
		if d := c.Snapshot().Domains[0]; d.Doubt != nil || d.Checks[0].Status != check.Failed {
			t.Errorf("it can be told again: %+v", d)
		}
		f.set(func() { f.certificates = nil })
		time.Sleep(2 * interval)
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(c.memory) != 1 { // the server's
			t.Errorf("%d subjects are remembered", len(c.memory))
		}
	})
}

// A domain that could never be looked up has nothing that was known.
func TestDoubtFromTheStart(t *testing.T) {
	m, now := memory{}, time.Now()
	m.note("a", []check.Finding{{Status: check.Unknown}}, now)
	m.note("a", []check.Finding{{Status: check.OK}, {Status: check.Unknown}}, now.Add(time.Minute))
	if d := m.doubt("a"); d == nil || !d.Since.Equal(now) || d.KnownAt != nil || d.Known != nil {
		t.Errorf("%+v", d)
	}
	m.confirm("a", now.Add(time.Hour)) // a look without a verdict makes nothing known
	if d := m.doubt("a"); d.KnownAt != nil {
		t.Errorf("%+v", d)
	}
	if m.doubt("b") != nil {
		t.Error("doubt about what nobody has looked at")
	}
}
