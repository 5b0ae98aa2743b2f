package dnsserve

import (
	"net/netip"
	"strings"

	"github.com/google/uuid"
	"github.com/miekg/dns"
)

// lookup answers a question of class IN.
func (r *responder) lookup(m *dns.Msg, q *query) (info uint16) {
	k, id, index := r.names.classify(q)
	if k == outside {
		m.Rcode = dns.RcodeRefused
		return dns.ExtendedErrorCodeNotAuthoritative
	}
	m.Authoritative = true
	name := m.Question[0].Name
	switch {
	case k == nothing:
		m.Rcode = dns.RcodeNameError
	case q.qtype == dns.TypeANY: // RFC 8482 section 4.2
		m.Answer = []dns.RR{&dns.HINFO{Hdr: header(name, dns.TypeHINFO, ttlStatic), Cpu: "RFC8482"}}
	case k == apex && q.qtype == dns.TypeSOA:
		soa, known := r.currentSOA()
		if !known {
			m.Authoritative, m.Rcode = false, dns.RcodeServerFailure
			return dns.ExtendedErrorCodeNotReady
		}
		m.Answer = []dns.RR{&soa}
	case k == apex && q.qtype == dns.TypeNS:
		r.delegation(m)
	case k == nameserver:
		m.Answer = addresses(name, r.ns[index].Addresses, q.qtype)
	case k == target && q.qtype == dns.TypeTXT && !r.challenge(m, name, id, q.client),
		k == versionName && q.qtype == dns.TypeTXT && !r.version(m, name):
		m.Authoritative, m.Rcode = false, dns.RcodeServerFailure
		return dns.ExtendedErrorCodeNotReady
	}
	if len(m.Answer) == 0 {
		soa, _ := r.currentSOA()
		soa.Hdr.Ttl = ttlNegative
		m.Ns = []dns.RR{&soa}
	}
	return 0
}

// currentSOA returns the SOA of the current version. It returns known false if it is
// not known which that is; where nothing is transferred it does not matter.
func (r *responder) currentSOA() (soa dns.SOA, known bool) {
	soa, known = r.soa, true
	if r.transfers != nil {
		soa.Serial, known = r.transfers.Versions.Serial()
	}
	return soa, known
}

// challenge adds the values under id. It returns false if it is not known
// whether there are any.
func (r *responder) challenge(m *dns.Msg, name string, id uuid.UUID, client netip.Addr) (known bool) {
	values, _, complete := r.records.Lookup(id)
	addValues(m, name, values)
	if len(values) > 0 {
		r.asked(id, client)
	}
	return complete || len(values) > 0
}

func addValues(m *dns.Msg, name string, values []string) {
	for _, v := range values {
		m.Answer = append(m.Answer, &dns.TXT{Hdr: header(name, dns.TypeTXT, ttlChallenge), Txt: strings255(v)})
	}
}

// delegation adds the NS records, and the addresses of those in the zone.
func (r *responder) delegation(m *dns.Msg) {
	for _, ns := range r.ns {
		host := dns.Fqdn(ns.Name)
		m.Answer = append(m.Answer, &dns.NS{Hdr: header(r.origin, dns.TypeNS, ttlStatic), Ns: host})
		if strings.HasSuffix(host, "."+r.origin) {
			m.Extra = append(m.Extra, addresses(host, ns.Addresses, dns.TypeA)...)
			m.Extra = append(m.Extra, addresses(host, ns.Addresses, dns.TypeAAAA)...)
		}
	}
}

// addresses returns the address records of the one type, none for any other.
func addresses(name string, list []netip.Addr, qtype uint16) (rrs []dns.RR) {
	for _, a := range list {
		switch {
		case qtype == dns.TypeA && a.Is4():
			rrs = append(rrs, &dns.A{Hdr: header(name, qtype, ttlStatic), A: a.AsSlice()})
		case qtype == dns.TypeAAAA && a.Is6():
			rrs = append(rrs, &dns.AAAA{Hdr: header(name, qtype, ttlStatic), AAAA: a.AsSlice()})
		}
	}
	return rrs
}

func header(name string, rrtype uint16, ttl uint32) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: rrtype, Class: dns.ClassINET, Ttl: ttl}
}

// strings255 cuts a TXT value into character-strings (RFC 1035 section 3.3) of
// at most 255 octets, in the form that miekg/dns packs unchanged.
func strings255(value string) []string {
	var out []string
	for len(value) > 255 {
		out = append(out, escape(value[:255]))
		value = value[255:]
	}
	return append(out, escape(value))
}

func escape(s string) string { return strings.ReplaceAll(s, `\`, `\\`) }
