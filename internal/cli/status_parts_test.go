package cli

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/status"
)

// What the page says about the installation, the command says too, and its exit code.
func TestStatusShowsTheInstallation(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*status.Snapshot)
		code   int
		out    []string
		errs   string // after "error: "; what is needed of it
		state  string
	}{
		{name: "all is well", change: func(*status.Snapshot) {}, out: []string{"✓ DNS server of acme.example.com: Delegated and reachable", "✓ Record store: Works", "✓ Replicas: 2 replicas", "!Status page:"}, state: "ok"},
		{name: "store", change: func(s *status.Snapshot) { s.Store.OK, s.Store.Text = false, "cannot be reached" }, code: exitError,
			out: []string{"✕ Record store: Does not work", "  cannot be reached"}, errs: "the record store does not work", state: "failed"},
		{name: "store being read", change: func(s *status.Snapshot) { s.Store.Synced = false }, out: []string{"… Record store: Being read"}, state: "pending"},
		{name: "no replicas", change: func(s *status.Snapshot) { s.Replicas = nil }, code: exitError, out: []string{"? Replicas: None known"}, errs: "the replicas are not known", state: "unknown"},
		{name: "other secondaries", change: func(s *status.Snapshot) { s.Replicas[1].Others = true },
			out: []string{" Replicas: With other secondaries than this one", "192.0.2.2:53 has other --secondary settings"}, state: "warning"},
		{name: "gate", change: func(s *status.Snapshot) {
			s.Server = append(s.Server, check.Finding{Check: "gate-configuration", Subject: "signpost-order-gate", Status: check.Failed, Hint: "Install the chart again."})
		}, code: exitError, out: []string{"✕ DNS server of acme.example.com: Works, but the order gate is not set up as it must be", "  gate-configuration signpost-order-gate: Install the chart again."},
			errs: "the order gate is not set up as it must be", state: "failed"},
		{name: "server not checked", change: func(s *status.Snapshot) { s.Server = nil }, code: exitError, out: []string{"? DNS server of acme.example.com: Not checked yet"},
			errs: "whether the DNS server of acme.example.com is delegated and reachable cannot be told", state: "unknown"},
		{name: "a look ago", change: func(s *status.Snapshot) { s.At = s.At.Add(-50 * time.Second) }, out: []string{"!Status page:"}, state: "ok"},
		{name: "stale", change: func(s *status.Snapshot) { s.At = s.At.Add(-5 * time.Minute) }, code: exitError, out: []string{"? Status page: What is known is 5 minutes old"},
			errs: "the status page is not up to date: what is known is 5 minutes old", state: "unknown"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			api, kubeconfig := statusAPI(t, map[string]string{"signpost.dev/zone": "acme.example.com", "signpost.dev/status-service": "dns/signpost:http"})
			s := pageOf(t)
			s.Domains = s.Domains[1:]
			tc.change(&s)
			api.set(pagePath, s)
			code, out, errs := runStatus(t, kubeconfig)
			if code != tc.code || !strings.Contains(errs, tc.errs) || tc.errs == "" && errs != "" {
				t.Errorf("exit code %d: %s", code, errs)
			}
			wantAll(t, "a table", out, tc.out...)
			_, out, _ = runStatus(t, kubeconfig, "-o", "json")
			var d struct {
				State string
				Parts []struct{ ID, Title, State, Text string }
			}
			if err := json.Unmarshal([]byte(out), &d); err != nil || d.State != tc.state || len(d.Parts) < 3 {
				t.Errorf("JSON: %v, %+v, want state %s", err, d, tc.state)
			}
		})
	}
}

// How old a page is, is told by its own clock.
func TestStatusOfAPageWithAnotherClock(t *testing.T) {
	api, kubeconfig := statusAPI(t, map[string]string{"signpost.dev/zone": "acme.example.com", "signpost.dev/status-service": "dns/signpost:http"})
	s := pageOf(t)
	s.Domains = s.Domains[1:]
	s.At = s.At.Add(-10 * time.Minute)
	api.set(pagePath, struct {
		Now time.Time `json:"now"`
		status.Snapshot
	}{s.At.Add(2 * time.Second), s})
	if code, out, errs := runStatus(t, kubeconfig); code != exitFine {
		t.Errorf("exit code %d:\n%s%s", code, out, errs)
	}
}

// A list with nothing in it says so, one that was looked at long ago where a look is to be had,
// and a domain that waits for another one for which.
func TestStatusHints(t *testing.T) {
	api, kubeconfig := statusAPI(t, map[string]string{"signpost.dev/zone": "acme.example.com", "signpost.dev/status-service": "dns/signpost:http"})
	s := pageOf(t)
	for i := range s.Domains {
		s.Domains[i].CheckedAt = s.At.Add(-time.Minute)
	}
	both := s.Domains[1].Certificates[0]
	both.Name, both.DNSNames, both.Ready, both.NotAfter, both.RenewalTime = "both", []string{"new.example.com", "right.example.com"}, false, nil, nil
	right := status.Domain{Name: "right.example.com", Scope: "cert-manager", Checks: s.Domains[1].Checks, Certificates: []status.Certificate{both}, CheckedAt: s.At}
	fresh := right
	fresh.Name, fresh.Checks = "new.example.com", []check.Finding{{Check: "cname-missing", Status: check.Failed, Hint: "Add it."}}
	s.Domains = append(s.Domains, right, fresh)
	status.Foresee(s.Domains, s.At)
	api.set(pagePath, s)

	_, out, _ := runStatus(t, kubeconfig)
	wantAll(t, "all", out, "✕ Domains: 1 of 5 domains needs a change, 1 waits for its record", "Waits for the record of new.example.com.", "!--from-here")
	if gone, new := strings.Index(out, "gone.example.com"), strings.Index(out, "new.example.com"); gone > new {
		t.Errorf("what is at risk is not the first:\n%s", out)
	}
	_, out, _ = runStatus(t, kubeconfig, "right.example.com", "-o", "wide")
	wantAll(t, "one of two", out, "see cname-missing at new.example.com", "LOOKED AT", s.At.UTC().Format(time.RFC3339))
	_, out, _ = runStatus(t, kubeconfig, "--outlook", "expired")
	wantAll(t, "nothing there", out, "No domain is so: --outlook expired")
	s.Domains[0].CheckedAt = s.At.Add(-2 * time.Hour)
	api.set(pagePath, s)
	_, out, _ = runStatus(t, kubeconfig)
	wantAll(t, "long ago", out, "the first at "+s.Domains[0].CheckedAt.UTC().Format(time.RFC3339)+". --from-here looks now.")
	if code, _, errs := runStatus(t, "/nonexistent/kubeconfig"); code != exitError || !strings.Contains(errs, "/nonexistent/kubeconfig") {
		t.Errorf("exit code %d: %s", code, errs)
	}
	t.Setenv("KUBECONFIG", "/nonexistent/other")
	var errs strings.Builder
	if code := run(t.Context(), []string{"status"}, &errs, &errs); code != exitError || !strings.Contains(errs.String(), "/nonexistent/other does not exist, or names none") {
		t.Errorf("exit code %d: %s", code, errs.String())
	}
}
