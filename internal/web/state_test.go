package web_test

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/status"
)

// document is what a program reads from /status.json.
type document struct {
	State    string
	Headline string
	Domains  []struct {
		Name, State, Text string
	}
}

func documentOf(t *testing.T, s status.Snapshot) (d document) {
	t.Helper()
	_, body := request(t, "GET", serve(t, func() status.Snapshot { return s })+"/status.json")
	if err := json.Unmarshal([]byte(body), &d); err != nil {
		t.Fatalf("%v\n%s", err, body)
	}
	return d
}

// unissued is a domain whose first certificate is still to be issued, with a check that
// has failed.
func unissued(d status.Domain, failed string) status.Domain {
	d.Checks = []check.Finding{{Check: failed, Status: check.Failed}}
	d.Certificates = slices.Clone(d.Certificates)
	d.Certificates[0].Ready, d.Certificates[0].NotAfter, d.Certificates[0].RenewalTime = false, nil, nil
	return d
}

// TestWorst: for everything that can be wrong, the page's headline and the JSON say so, and
// both say the same.
func TestWorst(t *testing.T) {
	past := time.Now().Add(-2 * time.Hour)
	result := func(status check.Status) []check.Finding {
		return []check.Finding{{Check: "a", Status: check.OK}, {Check: "b", Status: status}, {Check: "c", Status: check.OK}}
	}
	for _, tc := range []struct {
		name            string
		change          func(*status.Snapshot)
		state, headline string
		domain          string // the first domain's text, if it is not "Ready"
	}{
		{name: "all is well", change: func(*status.Snapshot) {}, state: "ok", headline: "Everything works"},
		{name: "no domain", change: func(s *status.Snapshot) { s.Domains = nil }, state: "ok", headline: "Ready for the first domain"},
		{name: "server not checked", change: func(s *status.Snapshot) { s.Server = nil }, state: "unknown", headline: "Whether the DNS server is reachable is not known"},
		{name: "server unknown", change: func(s *status.Snapshot) { s.Server = result(check.Unknown) }, state: "unknown", headline: "Whether the DNS server is reachable is not known"},
		{name: "server with a status from the future", change: func(s *status.Snapshot) { s.Server = result("splendid") }, state: "unknown", headline: "Whether the DNS server is reachable is not known"},
		{name: "server warning", change: func(s *status.Snapshot) { s.Server = result(check.Warning) }, state: "warning", headline: "The DNS server works, with a warning"},
		{name: "server failed", change: func(s *status.Snapshot) { s.Server = result(check.Failed) }, state: "failed", headline: "The DNS server is not delegated or not reachable"},
		{name: "gate", change: func(s *status.Snapshot) {
			s.Server = []check.Finding{{Check: "delegation", Status: check.OK}, {Check: "gate-configuration", Status: check.Failed}}
		}, state: "failed", headline: "The order gate is not set up as it must be"},
		{name: "gate and server", change: func(s *status.Snapshot) {
			s.Server = []check.Finding{{Check: "delegation-missing", Status: check.Failed}, {Check: "gate-configuration", Status: check.Failed}}
		}, state: "failed", headline: "The DNS server is not delegated or not reachable"},
		{name: "store", change: func(s *status.Snapshot) { s.Store.OK = false }, state: "failed", headline: "The record store does not work"},
		{name: "store not read", change: func(s *status.Snapshot) { s.Store.Synced = false }, state: "pending", headline: "The records are being read"},
		{name: "replicas", change: func(s *status.Snapshot) { s.Replicas = nil }, state: "unknown", headline: "The replicas are not known"},
		{name: "secondaries", change: func(s *status.Snapshot) { s.Replicas[0].Primary, s.Replicas[1].Primary = true, true }, state: "ok", headline: "Everything works"},
		{name: "other secondaries", change: func(s *status.Snapshot) { s.Replicas[1].Others = true }, state: "warning", headline: "The replicas differ in their secondaries"},
		{name: "cluster", change: func(s *status.Snapshot) { s.Cluster = "no right to list certificates" }, state: "unknown", headline: "The domains are not known"},
		{name: "cluster, no domain", change: func(s *status.Snapshot) { s.Cluster, s.Domains = "no right to list certificates", nil }, state: "unknown", headline: "The domains are not known"},
		{name: "a look ago", change: func(s *status.Snapshot) { s.At = s.At.Add(-50 * time.Second) }, state: "ok", headline: "Everything works"}, // for older ones see TestOld
		{name: "domain not checked", change: func(s *status.Snapshot) { s.Domains[0].Checks = nil }, state: "unknown", headline: "1 of 1 domain is not known", domain: "Not checked yet"},
		{name: "domain unknown", change: func(s *status.Snapshot) { s.Domains[0].Checks = result(check.Unknown) }, state: "unknown", headline: "1 of 1 domain is not known", domain: "Unknown"},
		{name: "domain failed", change: func(s *status.Snapshot) { s.Domains[0].Checks = result(check.Failed) }, state: "failed", headline: "1 of 1 domain needs a change", domain: "Needs a change"},
		{name: "no record", change: func(s *status.Snapshot) {
			s.Domains[0].Checks = []check.Finding{{Check: "cname-missing", Status: check.Failed}}
		}, state: "failed", headline: "1 of 1 domain needs a change", domain: "Add this record"},
		{name: "no record yet", change: func(s *status.Snapshot) {
			s.Domains[0] = unissued(s.Domains[0], "cname-missing")
		}, state: "pending", headline: "1 of 1 domain waits for its record", domain: "Add this record"},
		{name: "no record yet, and refused", change: func(s *status.Snapshot) {
			s.Domains[0] = unissued(s.Domains[0], "cname-missing")
			s.Domains[0].Requests = []status.Request{{Refused: "It is too long."}}
		}, state: "failed", headline: "1 of 1 domain needs a change", domain: "Add this record"},
		{name: "some wait, one has another's record", change: func(s *status.Snapshot) {
			s.Domains = []status.Domain{unissued(s.Domains[0], "cname-elsewhere"), unissued(s.Domains[0], "cname-missing"), unissued(s.Domains[0], "cname-missing"), s.Domains[0]}
		}, state: "failed", headline: "1 of 4 domains needs a change, 2 wait for their record", domain: "Needs a change"},
		{name: "at risk, and some wait", change: func(s *status.Snapshot) {
			gone := s.Domains[0]
			gone.Name, gone.Checks = "gone.example.com", []check.Finding{{Check: "cname-missing", Status: check.Failed}}
			gone.Certificates = slices.Clone(gone.Certificates)
			gone.Certificates[0].Name = "gone"
			s.Domains = []status.Domain{unissued(s.Domains[0], "cname-missing"), gone}
			status.Foresee(s.Domains, s.At)
		}, state: "failed", headline: "1 certificate is at risk; 1 of 2 domains needs a change, 1 waits for its record", domain: "Add this record"},
		{name: "under way", change: func(s *status.Snapshot) {
			s.Domains[0].Challenges = []status.Challenge{{State: "pending"}}
			s.Domains[0].Certificates[0].Ready = false
		}, state: "pending", headline: "1 of 1 domain is being issued", domain: "Being issued"},
		{name: "validation failed", change: func(s *status.Snapshot) {
			s.Domains[0].Challenges = []status.Challenge{{State: "invalid"}}
		}, state: "failed", headline: "1 of 1 domain needs a change", domain: "Validation failed"},
		{name: "not ready", change: func(s *status.Snapshot) { s.Domains[0].Certificates[0].Ready = false }, state: "warning", headline: "1 of 1 domain has a warning", domain: "Not ready"},
		{name: "expired", change: func(s *status.Snapshot) { s.Domains[0].Certificates[0].NotAfter = &past }, state: "failed", headline: "1 of 1 domain needs a change", domain: "Certificate expired"},
		{name: "overdue", change: func(s *status.Snapshot) { s.Domains[0].Certificates[0].RenewalTime = &past }, state: "warning", headline: "1 of 1 domain has a warning", domain: "Renewal overdue"},
		{name: "two", change: func(s *status.Snapshot) {
			failed := s.Domains[0]
			failed.Checks = result(check.Failed)
			s.Domains = []status.Domain{failed, s.Domains[0], failed}
			s.Domains[1].Checks = nil
		}, state: "failed", headline: "2 of 3 domains need a change", domain: "Needs a change"},
		{name: "a failure is worse than all else", change: func(s *status.Snapshot) {
			s.Domains[0].Checks, s.Server, s.Replicas, s.Store.OK = nil, nil, nil, false
		}, state: "failed", headline: "The record store does not work", domain: "Not checked yet"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := good()
			tc.change(&s)
			d := documentOf(t, s)
			if d.State != tc.state || d.Headline != tc.headline {
				t.Errorf("JSON: %s, %q, want %s, %q", d.State, d.Headline, tc.state, tc.headline)
			}
			if want := cmp.Or(tc.domain, "Ready"); len(d.Domains) > 0 && d.Domains[0].Text != want {
				t.Errorf("domain: %q, want %q", d.Domains[0].Text, want)
			}
			for _, query := range []string{"", "?fragment"} {
				body := page(t, s, query)
				_, title, _ := strings.Cut(body, `<h1 id="headline"`)
				title, _, _ = strings.Cut(title, "</h1>")
				if !strings.Contains(title, tc.headline) || !strings.Contains(body, `class="overview `+tc.state+`"`) {
					t.Errorf("page %q: headline %s, want %s, %q", query, title, tc.state, tc.headline)
				}
			}
		})
	}
}

// TestJSON: lists are never null, and the fields have the names of Status.
func TestJSON(t *testing.T) {
	s := good()
	s.Domains[0].Challenges = []status.Challenge{{}}
	for _, s := range []status.Snapshot{{}, s} {
		_, body := request(t, "GET", serve(t, func() status.Snapshot { return s })+"/status.json")
		if strings.Contains(body, "null") {
			t.Errorf("null in\n%s", body)
		}
		var fields map[string]any
		if err := json.Unmarshal([]byte(body), &fields); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"state", "headline", "at", "version", "zone", "groupName", "clusterNamespace", "strictNamespaces", "records", "server", "domains", "replicas", "store"} {
			if _, ok := fields[name]; !ok {
				t.Errorf("no %q in\n%s", name, body)
			}
		}
	}
}
