package web_test

import (
	"encoding/csv"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/status"
	"github.com/signpost-acme/signpost/internal/web"
)

// forecasts is a snapshot in which one domain's record is gone, a second shares the
// certificate of the first, a third cannot be told any more, and a fourth is well.
func forecasts() status.Snapshot {
	s := good()
	well := s.Domains[0]
	named := func(name string, checks []check.Finding, certificates ...status.Certificate) status.Domain {
		d := well
		d.Name, d.Checks, d.Certificates = name, checks, certificates
		return d
	}
	in := func(days int) *time.Time { at := s.At.Add(time.Duration(days) * 24 * time.Hour); return &at }
	of := func(name string, days int) status.Certificate {
		c := well.Certificates[0]
		c.Name, c.NotAfter = name, in(days)
		return c
	}
	found := func(check_ string, s check.Status) []check.Finding {
		return []check.Finding{{Check: check_, Status: s, Subject: "_acme-challenge", Hint: "Add it."}}
	}
	known := s.At.Add(-2 * time.Hour)
	s.Domains = []status.Domain{
		named("gone.example.com", found("cname-missing", check.Failed), of("both", 40)),
		named("second.example.com", found("cname", check.OK), of("both", 40)),
		named("silent.example.com", found("cname-unknown", check.Unknown), of("silent", 50)),
		named("well.example.com", found("cname", check.OK), of("well", 60)),
	}
	s.Domains[2].Doubt = &status.Doubt{Since: s.At.Add(-time.Hour), KnownAt: &known, Known: found("cname", check.OK)}
	status.Foresee(s.Domains, s.At)
	return s
}

// What is at risk is said first, with its date, in every form.
func TestForecastIsShown(t *testing.T) {
	s := forecasts()
	utc := func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
	h := handlerOf(t, s)
	for path, wants := range map[string][]string{
		"/":                                     {"1 certificate is at risk: it expires on", utc(s.At.Add(40 * 24 * time.Hour))},
		"/domain/cert-manager/gone.example.com": {"its renewal would not pass: cname-missing at gone.example.com; it expires in 3"},
		"/domain/cert-manager/second.example.com": {"Renewal at risk", "its renewal would not pass: cname-missing at gone.example.com"},
		"/domain/cert-manager/well.example.com":   {"its renewal would pass"},
		"/domain/cert-manager/silent.example.com": {"cannot be told: cname-unknown at silent.example.com",
			"This cannot be told since <time", utc(s.Domains[2].Doubt.Since), "What was known last, on", utc(*s.Domains[2].Doubt.KnownAt), "<code>cname</code> ok"},
	} {
		body := get(h, path).Body.String()
		for _, want := range wants {
			if !strings.Contains(body, want) {
				t.Errorf("%s does not say %q:\n%s", path, want, body)
			}
		}
	}
	for outlook, want := range map[string][]string{"at-risk": {"gone", "second"}, "unknown": {"silent"}, "renewing": {"well"}, "expired": nil} {
		var d struct {
			Outlooks    map[string]int
			FirstAtRisk time.Time
			Domains     []struct {
				Name, Outlook string
				Unknown       *struct {
					Since, KnownAt time.Time
					Known          []check.Finding
				}
				Certificates []struct {
					Forecast struct{ Outlook, Because, Domain string }
				}
			}
		}
		if err := json.Unmarshal(get(h, "/status.json?sort=name&outlook="+outlook).Body.Bytes(), &d); err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, x := range d.Domains {
			names = append(names, strings.TrimSuffix(x.Name, ".example.com"))
			if x.Outlook != outlook || x.Certificates[0].Forecast.Outlook != outlook || (x.Unknown != nil) != (outlook == "unknown") {
				t.Errorf("%+v", x)
			}
		}
		if !slices.Equal(names, want) || d.Outlooks["at-risk"] != 1 || len(d.Outlooks) != 5 || !d.FirstAtRisk.Equal(s.At.Add(40*24*time.Hour)) {
			t.Errorf("%s: %q, %v, at risk from %v on", outlook, names, d.Outlooks, d.FirstAtRisk)
		}
	}
	rows, err := csv.NewReader(get(h, "/status.csv?sort=name").Body).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{
		"at-risk|its renewal would not pass: cname-missing at gone.example.com|" + s.At.Add(40*24*time.Hour).UTC().Format(time.RFC3339) + "|",
		"at-risk|its renewal would not pass: cname-missing at gone.example.com|" + s.At.Add(40*24*time.Hour).UTC().Format(time.RFC3339) + "|",
		"unknown|whether its renewal would pass cannot be told: cname-unknown at silent.example.com||" + s.Domains[2].Doubt.Since.UTC().Format(time.RFC3339),
		"renewing|its renewal would pass||",
	} {
		if got := strings.Join(rows[i+1][12:16], "|"); got != want {
			t.Errorf("%s: %q, want %q", rows[i+1][0], got, want)
		}
	}
}

// A certificate that nobody renews in time is said to have expired, on a page of one
// domain and in the list of many.
func TestExpiredIsShown(t *testing.T) {
	s := fleet(t, 800) // eight of them have expired
	status.Foresee(s.Domains, s.At)
	h := handlerOf(t, s)
	if body := get(h, "/").Body.String(); !strings.Contains(body, "8 certificates have expired.") || !strings.Contains(body, `href="./?outlook=expired&amp;sort=expiry#domains"`) {
		t.Error(body)
	}
	body := get(h, "/?outlook=expired").Body.String()
	if n := strings.Count(body, `<span class="danger">expired</span>`); n != 8 || !strings.Contains(body, "8 domains of 800") {
		t.Errorf("%d rows say so:\n%s", n, body)
	}
}

// What becomes an outage comes first, the soonest before all; then what needs somebody;
// then that with which nothing is to be lost, however many these are.
func TestTheWorstFirst(t *testing.T) {
	s := good()
	well := s.Domains[0]
	of := func(name string, days int, finding check.Finding) status.Domain {
		d := well
		d.Name, d.Checks, d.Certificates = name+".example.com", []check.Finding{finding}, slices.Clone(well.Certificates)
		c := &d.Certificates[0]
		c.Name, c.DNSNames = name, []string{d.Name}
		if c.NotAfter, c.RenewalTime = nil, nil; days != 0 {
			at := s.At.Add(time.Duration(days) * 24 * time.Hour)
			c.NotAfter = &at
		} else {
			c.Ready = false
		}
		return d
	}
	fine, missing, silent := check.Finding{Check: "cname", Status: check.OK}, check.Finding{Check: "cname-missing", Status: check.Failed}, check.Finding{Check: "cname-unknown", Status: check.Unknown}
	s.Domains = []status.Domain{
		of("a-new", 0, missing), of("b-new", 0, silent), of("c-late", 60, missing), of("d-soon", 5, missing), of("e-expired", -1, fine), of("f-silent", 60, silent), of("g-well", 60, fine), of("h-new", 0, missing),
	}
	status.Foresee(s.Domains, s.At)
	var got []string
	for _, r := range web.NewIndex(s, s.At).Select(web.Filter{Sort: "state"}) {
		got = append(got, strings.TrimSuffix(r.Domain.Name, ".example.com"))
	}
	if want := []string{"e-expired", "d-soon", "c-late", "f-silent", "a-new", "h-new", "b-new", "g-well"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// A domain that is right, but whose Certificate waits for another one, says which.
func TestWaitsForAnotherDomain(t *testing.T) {
	s := good()
	right, other := s.Domains[0], s.Domains[0]
	right.Name, other.Name = "shop.example.com", "xn--bcher-kva.com"
	other.Checks = []check.Finding{{Check: "cname-missing", Status: check.Failed, Hint: "Add it."}}
	for _, d := range []*status.Domain{&right, &other} {
		d.Certificates = slices.Clone(d.Certificates)
		c := &d.Certificates[0]
		c.Ready, c.NotAfter, c.RenewalTime, c.DNSNames = false, nil, nil, []string{right.Name, other.Name}
		d.Requests = []status.Request{{Namespace: c.Namespace, Name: "example-com-1", Certificate: c.Name, Since: s.At}}
		d.CheckedAt = time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC)
	}
	s.Domains = []status.Domain{right, other}
	status.Foresee(s.Domains, s.At)
	h := handlerOf(t, s)
	text := textOf(t, get(h, "/domain/cert-manager/shop.example.com").Body.String())
	for _, want := range []string{"Waits for the record of bücher.com (xn--bcher-kva.com).", "example-com-1: waits for the record of bücher.com;", "Last looked at 2026-01-02 03:04 UTC."} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if text := textOf(t, get(h, "/domain/cert-manager/xn--bcher-kva.com").Body.String()); !strings.Contains(text, "example-com-1: waits for its record;") || strings.Contains(text, "Waits for the record of") {
		t.Error(text)
	}
	rows, err := csv.NewReader(get(h, "/status.csv?sort=name").Body).ReadAll()
	if err != nil || rows[1][11] != "Waits for the record of bücher.com (xn--bcher-kva.com)." || rows[0][16] != "checkedAt" || rows[1][16] != "2026-01-02T03:04:00Z" {
		t.Errorf("%v: %q", err, rows)
	}
	if body := get(h, "/status.json").Body.String(); !strings.Contains(body, `"checkedAt": "2026-01-02T03:04:00Z"`) {
		t.Error(body)
	}
	// A part of the document is enough for the whole forecast.
	read, _, err := web.ReadJSON(get(h, "/status.json?q=shop.example.com").Body.Bytes())
	if err != nil || len(read.Domains) != 1 || read.Domains[0].Certificates[0].Forecast.Because != "cname-missing" {
		t.Errorf("%v: %+v", err, read.Domains)
	}
}
