package dnsserve

import (
	"testing"

	"github.com/miekg/dns"
)

// The TXT record with the serial is in a zone that is transferred, as the answer too, and
// is of the same version as the SOA. Without secondaries it does not exist.
func TestVersionRecord(t *testing.T) {
	v := newVersions()
	s := transferring(t, v)
	ask := func(s *Server, name string, qtype uint16) *dns.Msg {
		t.Helper()
		m, err := dns.Exchange(new(dns.Msg).SetQuestion(name, qtype), s.Addrs()[0].String())
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	const name = "_seRial.acme.exAmple.com."
	m := ask(s, name, dns.TypeTXT)
	if len(m.Answer) != 1 || !m.Authoritative || m.Answer[0].String() != name+"\t0\tIN\tTXT\t\"4294967294\"" {
		t.Errorf("%v", m)
	}
	if m := ask(s, name, dns.TypeAAAA); m.Rcode != dns.RcodeSuccess || len(m.Answer) != 0 || len(m.Ns) != 1 {
		t.Errorf("AAAA: %v", m)
	}
	if m := ask(s, "x."+name, dns.TypeTXT); m.Rcode != dns.RcodeNameError {
		t.Errorf("below it: %v", m)
	}
	v.mu.Lock()
	v.known = false
	v.mu.Unlock()
	if m := ask(s, name, dns.TypeTXT); m.Rcode != dns.RcodeServerFailure || m.Authoritative || len(m.Answer) != 0 {
		t.Errorf("where it is not known: %v", m)
	}
	if m := ask(serve(t, nil, "127.0.0.1:0"), name, dns.TypeTXT); m.Rcode != dns.RcodeNameError {
		t.Errorf("without secondaries: %v", m)
	}
}
