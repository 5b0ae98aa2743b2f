package dnsserve

import (
	"bytes"
	"testing"

	"github.com/miekg/dns"
)

func FuzzRespond(f *testing.F) {
	for _, name := range []string{testID + ".acme.example.com.", "acme.example.com.", "ns.acme.example.com.", "x.acme.example.com.", ".", `a\.b\000.acme.example.com.`} {
		for _, qtype := range []uint16{dns.TypeTXT, dns.TypeSOA, dns.TypeNS, dns.TypeANY, dns.TypeAXFR, dns.TypeOPT} {
			m := new(dns.Msg).SetQuestion(name, qtype)
			wire, _ := m.Pack()
			f.Add(wire, false)
			m.SetEdns0(4096, true)
			opt := m.IsEdns0()
			opt.Option = append(opt.Option, &dns.EDNS0_NSID{Code: dns.EDNS0NSID},
				&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0102030405060708"}, &dns.EDNS0_LOCAL{Code: dns.EDNS0TCPKEEPALIVE})
			wire, _ = m.Pack()
			f.Add(wire, true)
		}
	}
	r := challengeResponder(f)
	f.Fuzz(func(t *testing.T, query []byte, tcp bool) {
		before := bytes.Clone(query)
		answer := r.respond(make([]byte, 0, maxUDPAnswer), query, client, tcp)
		if !bytes.Equal(query, before) {
			t.Fatalf("%x: the query was changed", before)
		}
		checkAnswer(t, r, query, answer, tcp)
		sameAnswer(t, r, query, tcp)
	})
}
