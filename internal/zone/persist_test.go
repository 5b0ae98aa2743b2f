package zone_test

import (
	"strings"
	"testing"
	"time"

	"github.com/signpost-acme/signpost/internal/zone"
)

func TestPersist(t *testing.T) {
	target, err := mustZone(t, "acme.example.com").Target("cert-manager", "example.com")
	if err != nil {
		t.Fatal(err)
	}
	p := zone.Persist{CA: "authority.example", Account: "https://ca.example/acct/123"}
	r := target.Persist(p)
	if r.Name != "_validation-persist.example.com" || r.Type != "TXT" || r.Value != `"authority.example; accounturi=https://ca.example/acct/123"` || !strings.Contains(r.Why, "preview") {
		t.Errorf("%+v", r)
	}
	p.Wildcard, p.Until = true, time.Unix(1767225600, 0)
	r = target.Persist(p)
	if r.Value != `"authority.example; accounturi=https://ca.example/acct/123; policy=wildcard; persistUntil=1767225600"` || !strings.Contains(r.Why, "every name below it with no challenge, until 2026-01-01") {
		t.Errorf("%+v", r)
	}
	long := zone.QuoteTXT(strings.Repeat("a", 255) + strings.Repeat("b", 255) + "c")
	if long != `"`+strings.Repeat("a", 255)+`" "`+strings.Repeat("b", 255)+`" "c"` {
		t.Errorf("a long text: %s", long)
	}
}

// The vectors of draft-ietf-acme-dns-persist-02 section 10.2.
func TestHashedAccount(t *testing.T) {
	const thumbprint = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
	for domain, want := range map[string]string{
		"example.com": "5SQm7n6tPh2-PlLbCKGnViTXX5z19SCN4cPGQHSk-kw",
		"*":           "NpDnSwUthQK8zCgFdefYxAdAVPnygMLbs9US6oO-5ug",
	} {
		if got := zone.HashedAccount("https://ca.example/account-hash/", domain, thumbprint, "https://ca.example/acct/123"); got != "https://ca.example/account-hash/sha-256/"+want {
			t.Errorf("%s: %s", domain, got)
		}
	}
	if err := zone.CheckThumbprint(thumbprint); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "abc", thumbprint + "=", thumbprint[:42] + "!", thumbprint + "A"} {
		if zone.CheckThumbprint(bad) == nil {
			t.Errorf("CheckThumbprint(%q) accepts it", bad)
		}
	}
}

func TestCheckMethods(t *testing.T) {
	for s, want := range map[string]string{"": "", "dns-01": "", "http-01,dns-01": "", "http-01": "no dns-01", "dns-01,": "empty", "dns 01": "separated", "dns-01;x": "separated", "dns-01\"": "separated"} {
		err := zone.CheckMethods(s)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("CheckMethods(%q): %v, want %q", s, err, want)
		}
	}
}
