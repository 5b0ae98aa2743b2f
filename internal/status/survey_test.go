package status

import (
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/internal/zone"
)

// A survey looks at the domains that are wanted, a few at a time, and again only at
// those that are not well.
func TestSurvey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeWorld{follows: true, checksTake: time.Second, findings: map[string][]check.Finding{"web/bad.example.com": {{Check: "cname-missing", Status: check.Failed}}}}
		expiry := time.Now().Add(time.Hour)
		names := []string{"bad.example.com", "other.example.org"}
		for c := 'a'; c <= 'z'; c++ {
			names = append(names, string(c)+".example.com")
		}
		for _, name := range names {
			c := certificate("web", strings.ReplaceAll(name, ".", "-"), "web", name)
			c.Ready, c.NotAfter = true, &expiry
			f.certificates = append(f.certificates, c)
		}
		z, err := zone.New("acme.example.com")
		if err != nil {
			t.Fatal(err)
		}
		c := New(Config{Version: "v1", Zone: z, Namespace: "cert-manager", Cluster: f, Checker: f, Log: slog.New(slog.DiscardHandler)})
		wanted := func(d Domain) bool { return strings.HasSuffix(d.Name, ".com") }
		var told []int
		s := c.Survey(t.Context(), wanted, func(done, all int) {
			if told = append(told, done); all != 27 {
				t.Errorf("%d of %d", done, all)
			}
		})
		if d := s.Domains[0]; d.CheckedAt.IsZero() {
			t.Error("not said when it was looked at")
		}
		if len(s.Domains) != 27 || len(told) != 27 || told[26] != 27 || f.most > surveyAtOnce || f.most < 2 || s.Zone != "acme.example.com" {
			t.Errorf("%d domains, told %v, %d at once", len(s.Domains), told, f.most)
		}
		for _, d := range s.Domains {
			if want := map[bool]Outlook{true: AtRisk, false: Renewing}[d.Name == "bad.example.com"]; d.Outlook() != want {
				t.Errorf("%s: %s", d.Name, d.Outlook())
			}
		}
		s = c.Survey(t.Context(), wanted, nil)
		if f.checks["web/bad.example.com"] != 2 || f.checks["web/a.example.com"] != 1 || f.checks["web/other.example.org"] != 0 || len(s.Domains[0].Checks) != 1 {
			t.Errorf("the second: %v", f.checks)
		}
		time.Sleep(surveyAgain)
		f.set(func() { f.certificates = []cluster.Certificate{f.certificates[2]} })
		if s = c.Survey(t.Context(), wanted, nil); f.checks["web/a.example.com"] != 2 || len(s.Domains) != 1 {
			t.Errorf("a minute later: %v", f.checks)
		}
	})
}

// The forecast of a Certificate is about all its domains, also where only one is wanted.
func TestSurveyForecastsFromAllDomains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeWorld{follows: true, findings: map[string][]check.Finding{"web/other.example.com": {{Check: "cname-missing", Status: check.Failed}}}}
		expiry := time.Now().Add(time.Hour)
		both := certificate("web", "both", "web", "shop.example.com")
		both.DNSNames, both.Ready, both.NotAfter = append(both.DNSNames, "other.example.com"), true, &expiry
		f.certificates = []cluster.Certificate{both, certificate("web", "else", "web", "else.example.com")}
		z, err := zone.New("acme.example.com")
		if err != nil {
			t.Fatal(err)
		}
		c := New(Config{Version: "v1", Zone: z, Namespace: "cert-manager", Cluster: f, Checker: f, Log: slog.New(slog.DiscardHandler)})
		s := c.Survey(t.Context(), func(d Domain) bool { return d.Name == "shop.example.com" }, nil)
		if len(s.Domains) != 1 || s.Domains[0].Name != "shop.example.com" {
			t.Fatalf("%+v", s.Domains)
		}
		if f := s.Domains[0].Certificates[0].Forecast; f.Outlook != AtRisk || f.Because != "cname-missing" || f.Domain != "other.example.com" {
			t.Errorf("%+v", f)
		}
		if f.checks["web/else.example.com"] != 0 {
			t.Error("a domain was looked at that nobody wants")
		}
	})
}
