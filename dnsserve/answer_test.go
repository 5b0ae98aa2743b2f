package dnsserve

import (
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// An identity that does not fit is left out; no answer is larger than allowed.
func TestOversizedIdentity(t *testing.T) {
	config := testConfig(t, "acme.example.com", []string{"ns.example.com"}, &fakeRecords{complete: true})
	config.Identity = strings.Repeat("A", 3000)
	r := &responder{}
	if err := r.init(config); err != nil {
		t.Fatal(err)
	}
	m := new(dns.Msg).SetQuestion("acme.example.com.", dns.TypeSOA).SetEdns0(4096, false)
	m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_NSID{Code: dns.EDNS0NSID}}
	wire, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	if got := r.respond(nil, wire, client, false); len(got) > maxUDPAnswer {
		t.Errorf("an answer of %d octets over UDP", len(got))
	}
}

// Nameservers may be called anything.
func TestNameserverNames(t *testing.T) {
	for _, name := range []string{"x", "xx", "ns.x", "hostmaster", "a.hostmaster"} {
		r := newResponder(t, "acme.example.com", []string{name + ".acme.example.com=192.0.2.1"}, &fakeRecords{complete: true})
		for _, q := range []string{"x", "xx", "y.x", "hostmaster", "y.hostmaster", "b.a.hostmaster", "z"} {
			m := new(dns.Msg).SetQuestion(q+".acme.example.com.", dns.TypeTXT)
			wire, err := m.Pack()
			if err != nil {
				t.Fatal(err)
			}
			sameAnswer(t, r, wire, false)
			checkAnswer(t, r, wire, r.respond(nil, wire, client, false), false)
		}
	}
}
