package status

import (
	"testing"
	"time"

	"github.com/signpost-acme/signpost/internal/check"
)

// What becomes of a certificate, by its dates and by what is known of its domains.
func TestForecast(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	in := func(d time.Duration) *time.Time { at := now.Add(d); return &at }
	const day = 24 * time.Hour
	found := func(list ...check.Status) (findings []check.Finding) {
		for _, s := range list {
			findings = append(findings, check.Finding{Check: "cname-" + string(s), Status: s})
		}
		return findings
	}
	valid := Certificate{Namespace: "web", Name: "c", Ready: true, NotAfter: in(60 * day), RenewalTime: in(30 * day)}
	first := Certificate{Namespace: "web", Name: "c"}
	old := Certificate{Namespace: "web", Name: "c", Ready: true, NotAfter: in(0), RenewalTime: in(-30 * day)}
	late := Certificate{Namespace: "web", Name: "c", Ready: true, NotAfter: in(29 * day), RenewalTime: in(-time.Hour - time.Second)}
	due := Certificate{Namespace: "web", Name: "c", Ready: true, NotAfter: in(30 * day), RenewalTime: in(-time.Hour)}
	bare := Certificate{Namespace: "web", Name: "c", NotAfter: in(day)} // nobody has said when it is renewed
	for _, tc := range []struct {
		name    string
		c       Certificate
		checks  [][]check.Finding // of its domains
		refused bool              // a request of its
		outlook Outlook
		because string
		domain  string
		state   State // of the first domain
		text    string
	}{
		{name: "all is well", c: valid, checks: [][]check.Finding{found(check.OK)}, outlook: Renewing, state: OK, text: "its renewal would pass"},
		{name: "a warning lets it pass", c: valid, checks: [][]check.Finding{found(check.OK, check.Warning)}, outlook: Renewing, state: Warning},
		{name: "the record is gone", c: valid, checks: [][]check.Finding{found(check.Failed)}, outlook: AtRisk, because: "cname-failed", domain: "0", state: Failed},
		{name: "a later finding forbids it", c: valid, checks: [][]check.Finding{found(check.OK, check.Failed)}, outlook: AtRisk, because: "cname-failed", domain: "0", state: Failed},
		{name: "a failure counts more than what cannot be told", c: valid, checks: [][]check.Finding{found(check.Unknown, check.Failed)}, outlook: AtRisk, because: "cname-failed", domain: "0", state: Failed},
		{name: "one of two domains", c: valid, checks: [][]check.Finding{found(check.OK), found(check.Failed)}, outlook: AtRisk, because: "cname-failed", domain: "1", state: Warning, text: "its renewal would not pass: cname-failed at 1"},
		{name: "one of two cannot be told", c: valid, checks: [][]check.Finding{found(check.OK), found(check.Unknown)}, outlook: Untold, because: "cname-unknown", domain: "1", state: OK},
		{name: "a status from the future", c: valid, checks: [][]check.Finding{found("splendid")}, outlook: Untold, because: "cname-splendid", domain: "0", state: Unknown},
		{name: "not looked at", c: valid, checks: [][]check.Finding{nil}, outlook: Untold, because: "not-checked", domain: "0", state: Unknown, text: "whether its renewal would pass cannot be told: not-checked at 0"},
		{name: "a request that can never pass", c: valid, checks: [][]check.Finding{found(check.OK)}, refused: true, outlook: AtRisk, because: "refused", domain: "0", state: Failed},
		{name: "the first one, well", c: first, checks: [][]check.Finding{found(check.OK)}, outlook: Waiting, state: Warning, text: "it has not been issued yet"},
		{name: "the first one, without its record", c: first, checks: [][]check.Finding{found(check.Failed)}, outlook: Waiting, because: "cname-failed", domain: "0", state: Failed},
		{name: "expired at this moment", c: old, checks: [][]check.Finding{found(check.OK)}, outlook: Expired, state: Failed},
		{name: "expired, and nobody can tell", c: old, checks: [][]check.Finding{nil}, outlook: Expired, because: "not-checked", domain: "0", state: Failed, text: "it has expired; see not-checked at 0"},
		{name: "due an hour ago", c: due, checks: [][]check.Finding{found(check.OK)}, outlook: Renewing, state: OK},
		{name: "overdue", c: late, checks: [][]check.Finding{found(check.OK)}, outlook: AtRisk, because: "overdue", state: Warning, text: "its renewal is overdue"},
		{name: "overdue, and nobody can tell", c: late, checks: [][]check.Finding{found(check.Unknown)}, outlook: AtRisk, because: "overdue", state: Unknown},
		{name: "no time of renewal", c: bare, checks: [][]check.Finding{found(check.OK)}, outlook: Renewing, state: Warning},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var domains []Domain
			for i, checks := range tc.checks {
				domains = append(domains, Domain{Name: string(rune('0' + i)), Checks: checks, Certificates: []Certificate{tc.c}})
			}
			if tc.refused {
				domains[0].Requests = []Request{{Namespace: "web", Name: "r", Certificate: "c", Refused: "never"}, {Namespace: "other", Name: "r", Certificate: "d", Refused: "never"}}
			}
			Foresee(domains, now)
			for _, d := range domains {
				f := d.Certificates[0].Forecast
				if f.Outlook != tc.outlook || f.Because != tc.because || f.Domain != tc.domain || f.Renewal != tc.c.RenewalTime || f.Outage != tc.c.NotAfter {
					t.Errorf("%+v, want %s because of %q at %q", f, tc.outlook, tc.because, tc.domain)
				}
				if tc.text != "" && f.String() != tc.text {
					t.Errorf("it says %q, want %q", f, tc.text)
				}
				if d.Outlook() != tc.outlook {
					t.Errorf("the domain's is %s", d.Outlook())
				}
				if risk := d.Risk(); tc.outlook.InDanger() != (tc.c.NotAfter != nil && risk.Equal(*tc.c.NotAfter)) {
					t.Errorf("at risk from %v on", risk)
				}
			}
			if m := domains[0].Mark(now); m.State != tc.state {
				t.Errorf("state %+v, want %s", m, tc.state)
			}
		})
	}
}

// A domain has the outlook of the worst of its certificates, and the risk of the first
// that becomes an outage.
func TestWorstCertificate(t *testing.T) {
	now := time.Now()
	in := func(d time.Duration) *time.Time { at := now.Add(d); return &at }
	good, gone := []check.Finding{{Status: check.OK}}, []check.Finding{{Status: check.Failed}}
	both := Certificate{Name: "both", NotAfter: in(2 * time.Hour)}
	domains := []Domain{
		{Name: "a", Checks: good, Certificates: []Certificate{{Name: "a", NotAfter: in(time.Hour)}, both}},
		{Name: "b", Checks: gone, Certificates: []Certificate{{Name: "b", NotAfter: in(3 * time.Hour)}, both}},
		{Name: "c", Checks: good},
	}
	Foresee(domains, now)
	for i, want := range []struct {
		outlook Outlook
		risk    time.Time
	}{{AtRisk, *both.NotAfter}, {AtRisk, *both.NotAfter}, {Waiting, time.Time{}}} {
		if d := domains[i]; d.Outlook() != want.outlook || !d.Risk().Equal(want.risk) {
			t.Errorf("%s: %s from %v on, want %+v", d.Name, d.Outlook(), d.Risk(), want)
		}
	}
	if o := domains[0].Certificates[0].Forecast.Outlook; o != Renewing {
		t.Errorf("a certificate for the good domain alone: %s", o)
	}
	if o := (Domain{Certificates: []Certificate{{}}}).Outlook(); o != Untold {
		t.Errorf("what nobody has foreseen is %q", o)
	}
}

// Where a domain's own servers could not be asked, what a resolver says does not put a
// certificate at risk, and the state says the same as the forecast.
func TestAResolverAloneDecidesNothing(t *testing.T) {
	expiry := time.Now().Add(time.Hour)
	d := Domain{Name: "nowhere.test", Checks: []check.Finding{{Check: "cname-unknown", Status: check.Unknown}, {Check: "cname-resolver", Status: check.Failed}},
		Certificates: []Certificate{{Namespace: "web", Name: "a", Ready: true, NotAfter: &expiry}}}
	domains := []Domain{d}
	Foresee(domains, time.Now())
	if f := domains[0].Certificates[0].Forecast; f.Outlook != Untold || f.Because != "cname-unknown" {
		t.Errorf("forecast %+v", f)
	}
	if m := domains[0].Mark(time.Now()); m != (Mark{Unknown, "Unknown"}) {
		t.Errorf("state %+v", m)
	}
}
