package zone_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/signpost-acme/signpost/internal/zone"
)

func TestDelegation(t *testing.T) {
	z := mustZone(t, "acme.example.com")
	ns, err := z.Nameservers([]string{"ns.example.com=192.0.2.1,2001:db8::1", "ns2.acme.example.com=192.0.2.2", "ns3.example.net"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range z.Delegation(ns) {
		got = append(got, r.Name+" "+r.Type+" "+r.Value)
	}
	want := []string{
		"acme.example.com NS ns.example.com", "acme.example.com NS ns2.acme.example.com", "acme.example.com NS ns3.example.net",
		"ns.example.com A 192.0.2.1", "ns.example.com AAAA 2001:db8::1", "ns2.acme.example.com A 192.0.2.2",
	}
	if !slices.Equal(got, want) {
		t.Errorf("Delegation = %q, want %q", got, want)
	}
}

func TestTargetRecord(t *testing.T) {
	z := mustZone(t, "acme.example.com")
	target, err := z.Target("cert-manager", "*.Example.com.")
	r := target.Record()
	if err != nil || r.Name != "_acme-challenge.example.com" || r.Type != "CNAME" || r.Value != "01917426-a1cd-547e-bc8e-ca4d7b697e62.acme.example.com" {
		t.Errorf("Record = %+v, %v", r, err)
	}
	if !z.IsTarget(target.Name) || z.IsTarget("ns.acme.example.com") || z.IsTarget(target.ID.String()+".example.com") {
		t.Error("IsTarget does not tell a target from other names")
	}
	for domain, want := range map[string]error{"*.co.uk": zone.ErrPublicSuffix, "localhost": zone.ErrPublicSuffix, "acme.example.com": zone.ErrOwnZone} {
		if _, err := z.Target("cert-manager", domain); !errors.Is(err, want) {
			t.Errorf("Target(%s): %v, want %v", domain, err, want)
		}
	}
	if _, err := z.Target("cert-manager", "a..b"); err == nil || !strings.Contains(err.Error(), "empty label") {
		t.Errorf("Target(a..b): %v", err)
	}
	if zone.IsPublicSuffix("github.io") {
		t.Error("github.io has an owner who may want a certificate")
	}
}

// Only what no CA could issue is refused.
func TestPublicSuffix(t *testing.T) {
	for domain, want := range map[string]bool{
		"com": true, "co.uk": true, "kobe.jp": false, "x.kobe.jp": true, "arpa": true, "onion": true, "example": true, "localhost": true, "invalid": true, "xn--p1ai": true,
		"internal": false, "lan": false, "corp": false, "home": false, "home.arpa": false, "local": false, "test": false, "intranet": false,
		"github.io": false, "example.com": false, "a.internal": false,
	} {
		if zone.IsPublicSuffix(domain) != want {
			t.Errorf("IsPublicSuffix(%q) = %v", domain, !want)
		}
	}
	z := mustZone(t, "acme.example.com")
	for _, domain := range []string{"*.internal", "*.home.arpa", "*.lan", "*.corp", "x.internal"} {
		if _, err := z.Target("cert-manager", domain); err != nil {
			t.Errorf("Target(%s): %v", domain, err)
		}
	}
	for domain, want := range map[string]string{"a.b.example.com": "example.com", "a.b.co.uk": "b.co.uk", "a.b.corp": "b.corp", "corp": "corp", "a.home.arpa": "a.home.arpa", "home.arpa": "home.arpa"} {
		if got := zone.Registered(domain); got != want {
			t.Errorf("Registered(%q) = %q, want %q", domain, got, want)
		}
	}
}
