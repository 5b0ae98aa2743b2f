package dnstest

import (
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// zoneData is one zone, its records by lower-case owner.
type zoneData struct {
	origin  string
	records map[string][]dns.RR
	soa     dns.RR
}

func parseZone(t testing.TB, origin, text string) *zoneData {
	t.Helper()
	z := &zoneData{origin: dns.Fqdn(strings.ToLower(origin)), records: map[string][]dns.RR{}}
	z.soa = &dns.SOA{
		Hdr: dns.RR_Header{Name: z.origin, Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: 300},
		Ns:  "ns." + strings.TrimPrefix(z.origin, "."), Mbox: "hostmaster.invalid.", Serial: 1, Refresh: 3600, Retry: 600, Expire: 604800, Minttl: 240,
	}
	z.add(z.soa)
	p := dns.NewZoneParser(strings.NewReader(text), z.origin, "test")
	p.SetDefaultTTL(300)
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		z.add(rr)
	}
	if err := p.Err(); err != nil {
		t.Fatalf("dnsworld: zone %s: %v", origin, err)
	}
	return z
}

func (z *zoneData) add(rr dns.RR) {
	name := strings.ToLower(rr.Header().Name)
	z.records[name] = append(z.records[name], rr)
}

func (z *zoneData) at(name string, qtype uint16) (out []dns.RR) {
	for _, rr := range z.records[name] {
		if rr.Header().Rrtype == qtype {
			out = append(out, rr)
		}
	}
	return out
}

// answer fills in m, as RFC 1034 section 4.3.2 says.
func (z *zoneData) answer(m *dns.Msg, name string, qtype uint16) {
	if ns := z.cut(name, qtype); ns != nil {
		m.Ns = ns
		for _, rr := range ns {
			host := strings.ToLower(rr.(*dns.NS).Ns) //nolint:errcheck // cut returns nothing else
			m.Extra = append(m.Extra, append(z.at(host, dns.TypeA), z.at(host, dns.TypeAAAA)...)...)
		}
		return
	}
	m.Authoritative = true
	owner, exists := z.owner(name)
	types := []uint16{dns.TypeCNAME, qtype} // both, if a zone has both
	if qtype == dns.TypeCNAME {
		types = types[:1]
	}
	for _, t := range types {
		for _, rr := range z.at(owner, t) {
			rr = dns.Copy(rr)
			rr.Header().Name = name
			m.Answer = append(m.Answer, rr)
		}
	}
	if len(m.Answer) > 0 {
		return
	}
	m.Ns = []dns.RR{z.soa}
	if !exists {
		m.Rcode = dns.RcodeNameError
	}
}

// cut returns the NS records of a zone below, in which name is.
func (z *zoneData) cut(name string, qtype uint16) []dns.RR {
	labels := dns.SplitDomainName(name)
	for i := len(labels) - 1; i >= 0; i-- {
		at := strings.Join(labels[i:], ".") + "."
		if at == z.origin || !dns.IsSubDomain(z.origin, at) || at == name && qtype == dns.TypeDS {
			continue
		}
		if ns := z.at(at, dns.TypeNS); len(ns) > 0 {
			return ns
		}
	}
	return nil
}

// owner returns the name whose records are at name, which may be a wildcard.
func (z *zoneData) owner(name string) (owner string, exists bool) {
	for at := name; ; {
		if z.has(at) {
			if at == name {
				return name, true
			}
			if wildcard := "*." + at; len(z.records[wildcard]) > 0 {
				return wildcard, true
			}
			return name, false
		}
		_, rest, ok := strings.Cut(at, ".")
		if !ok || rest == "" {
			return name, false
		}
		at = rest
	}
}

// has reports whether name exists, with records or with names below.
func (z *zoneData) has(name string) bool {
	for owner := range z.records {
		if dns.IsSubDomain(name, owner) {
			return true
		}
	}
	return false
}
