package check_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/dnstest"
	"github.com/signpost-acme/signpost/internal/poll"
)

// What a sentence of the owner's page needs is found in the finding, and it never
// names a namespace. $T is the target, $O that of another namespace.
func TestSee(t *testing.T) {
	for _, tc := range []struct{ records, want, detail string }{
		{"_acme-challenge CNAME $T.", "cname", ""},
		{"", "cname-missing", ""},
		{"_acme-challenge.customer.example CNAME $T.", "cname-name-doubled", "_acme-challenge.customer.example.customer.example"},
		{"_acme_challenge CNAME $T.", "cname-misspelt", "_acme_challenge.customer.example"},
		{"_acme-challenge.www CNAME $T.", "cname-misplaced", "_acme-challenge.www.customer.example"},
		{"_acme-challenge CNAME $T.customer.example.", "cname-value-doubled", "$T.customer.example"},
		{"_acme-challenge CNAME x.elsewhere.example.", "cname-elsewhere", "x.elsewhere.example"},
		{"_acme-challenge A 192.0.2.7", "cname-proxied", "192.0.2.7"},
		{"_acme-challenge TXT \"$T\"", "cname-is-txt", ""},
		{"_acme-challenge NS ns.elsewhere.example.", "challenge-delegated", "ns.elsewhere.example"},
		{"_acme-challenge CNAME $O.", "cname-other-scope", ""},
	} {
		w := newWorld(t)
		w.Namespaces = func() []string { return []string{"team-a"} }
		other, err := w.Zone.Target("team-a", domain)
		if err != nil {
			t.Fatal(err)
		}
		fill := strings.NewReplacer("$T", w.target, "$O", other.Name)
		w.setDomain(fill.Replace(tc.records))
		s := w.See(t.Context(), scope, domain)
		if s.Check != tc.want || s.Detail() != fill.Replace(tc.detail) {
			t.Errorf("%s: %s with %q, want %s with %q\n%+v", tc.records, s.Check, s.Detail(), tc.want, fill.Replace(tc.detail), s)
		}
		if s.Apex != domain || fmt.Sprint(s.Nameservers) != "[ns1.customer.example ns2.customer.example]" {
			t.Errorf("%s: served as %s by %q", tc.records, s.Apex, s.Nameservers)
		}
	}
	w := newWorld(t)
	w.Serve(domain, domainZone+w.right(), domainServer)
	if s := w.See(t.Context(), scope, domain); s.Check != "authoritative-differ" || s.Detail() != "ns2.customer.example (127.53.0.31)" {
		t.Errorf("half copied: %s, %q", s.Check, s.Detail())
	}
	w.Hook(resolver, dnstest.Fails(dns.RcodeServerFailure))
	if s := w.See(t.Context(), scope, "exa mple"); s.Check != "domain-invalid" || s.Detail() != "" || s.Nameservers != nil {
		t.Errorf("no domain: %+v", s)
	}
}

// Every finding of a look is among those that the owner's page has a sentence for.
func TestOwnersFindings(t *testing.T) {
	known := map[string]bool{}
	for _, id := range check.OwnersFindings() {
		known[id] = true
	}
	if len(known) < 20 || known["delegation"] {
		t.Errorf("%d findings: %v", len(known), known)
	}
}

// Who watches sees within seconds that the record is at the wrong name, although at the
// right one nothing has changed.
func TestSeeRemembersLittle(t *testing.T) {
	w := newWorld(t)
	if s := w.See(t.Context(), scope, domain); s.Check != "cname-missing" {
		t.Fatal(s.Check)
	}
	w.setDomain("_acme-challenge.customer.example CNAME " + w.target + ".")
	poll.Until(t, 12*time.Second, "the record is found at the wrong name", func() error {
		if s := w.See(t.Context(), scope, domain); s.Check != "cname-name-doubled" {
			return fmt.Errorf("%s", s.Check)
		}
		return nil
	})
}
