package dnsserve

import (
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"

	"github.com/google/uuid"
	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/internal/zone"
)

// Times to live, in seconds. A TXT answer must not be cached: a resolver
// that did would hand one challenge's value to the next one. Neither must NODATA
// (RFC 2308 section 5: the least of the SOA's TTL and MINIMUM).
const (
	ttlChallenge = 0
	ttlNegative  = 0
	ttlSOA       = 300
	ttlStatic    = 3600 // NS, addresses, and what ANY gets
)

// How a secondary keeps its copy of the zone, in seconds: it asks often, for when
// NOTIFY does not get through, and answers for two weeks when it cannot reach us.
const (
	transferRefresh = 60
	transferRetry   = 10
	expire          = 1209600
)

// hostmaster is the mailbox in the SOA (RFC 2142 section 7).
const hostmaster = "hostmaster"

// responder turns a query into its answer. It is used by all sockets at once.
type responder struct {
	names    names
	origin   string // with the final dot
	soa      dns.SOA
	ns       []zone.Nameserver
	records  Records
	identity string // in hexadecimal, as miekg/dns wants it
	cookies  cookies
	negative negative

	// configured is by how much an answer that comes from configuration alone is
	// larger than its question, at most, without what may be left out.
	configured int

	transfers  *transfers // nil: nothing is transferred
	serialName string     // zone.SerialName, with the final dot

	stats stats
	asked func(uuid.UUID, netip.Addr)
	log   *slog.Logger
}

func (r *responder) init(c Config) (err error) {
	if r.names, err = newNames(c.Zone, c.Nameservers); err != nil {
		return err
	}
	if r.cookies, err = newCookies(); err != nil {
		return err
	}
	r.origin = dns.Fqdn(c.Zone.Origin())
	r.ns, r.records, r.log = c.Nameservers, c.Records, c.Log
	if r.asked = c.Asked; r.asked == nil {
		r.asked = func(uuid.UUID, netip.Addr) {}
	}
	r.identity = hex.EncodeToString([]byte(c.Identity))
	r.soa = dns.SOA{
		Hdr:     dns.RR_Header{Name: r.origin, Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: ttlSOA},
		Ns:      dns.Fqdn(c.Nameservers[0].Name),
		Mbox:    hostmaster + "." + r.origin,
		Serial:  1, // where nothing is transferred, nothing depends on it
		Refresh: 14400,
		Retry:   3600,
		Expire:  expire,
		Minttl:  ttlNegative,
	}
	if c.Transfers != nil {
		r.soa.Refresh, r.soa.Retry = transferRefresh, transferRetry
		r.transfers = newTransfers(c, r)
		if err = r.names.addVersion(c.Zone); err != nil {
			return err
		}
		r.serialName = dns.Fqdn(c.Zone.SerialName())
	}
	if r.negative, err = r.newNegative(); err != nil {
		return err
	}
	return r.measure()
}

// measure sets configured.
func (r *responder) measure() error {
	hosts := []string{r.origin}
	for _, ns := range r.ns {
		hosts = append(hosts, dns.Fqdn(ns.Name))
	}
	for _, host := range hosts {
		for _, qtype := range []uint16{dns.TypeSOA, dns.TypeNS, dns.TypeA, dns.TypeAAAA, dns.TypeTXT} {
			msg, err := new(dns.Msg).SetQuestion(host, qtype).Pack()
			if err != nil {
				return fmt.Errorf("dnsserve: nameserver %q: %w", host, err)
			}
			var q query
			_, wellformed := q.parse(msg)
			m := r.reply(&q, true, wellformed)
			m.Extra = nil
			answer, err := m.Pack()
			if err != nil {
				return fmt.Errorf("dnsserve: the answer for %s: %w", host, err)
			}
			r.configured = max(r.configured, len(answer)-len(msg))
		}
	}
	return nil
}

// respond appends the answer to msg to dst and returns it; nothing is appended
// where silence is the answer. msg is what came over the network, from client.
func (r *responder) respond(dst, msg []byte, client netip.Addr, tcp bool) []byte {
	q := query{client: client}
	answerable, wellformed := q.parse(msg)
	if !answerable {
		r.stats.ignore()
		return dst
	}
	if q.signed && r.transfers != nil {
		return r.buildSigned(dst, msg, client, tcp)
	}
	if wellformed {
		if out, rcode, done := r.prepared(dst, &q, tcp); done {
			r.stats.count(tcp, rcode, false)
			return out
		}
	}
	return r.build(dst, msg, client, tcp)
}

// build answers a message the ordinary way, by building an answer and packing
// it. It takes the message apart once more: its query lives on the heap.
func (r *responder) build(dst, msg []byte, client netip.Addr, tcp bool) []byte {
	q := query{client: client}
	_, wellformed := q.parse(msg)
	m := r.reply(&q, tcp, wellformed)
	out, err := r.pack(dst, m, &q, tcp)
	if err != nil { // cannot happen with names that parse let through
		r.log.Error("a DNS answer cannot be packed; this is a bug, please report it", "type", q.qtype, "err", err)
		m = &dns.Msg{MsgHdr: dns.MsgHdr{Id: q.id, Response: true, Rcode: dns.RcodeServerFailure}}
		out, _ = r.pack(dst, m, &query{}, tcp)
	}
	r.stats.count(tcp, m.Rcode, m.Truncated)
	return out
}

// reply decides on the answer.
func (r *responder) reply(q *query, tcp, wellformed bool) *dns.Msg {
	m := &dns.Msg{Compress: true}
	m.Id, m.Response, m.Opcode = q.id, true, q.opcode()
	m.RecursionDesired = q.flags&bitRecursion != 0
	m.CheckingDisabled = q.flags&bitChecking != 0
	if len(q.question) > 0 {
		m.Question = []dns.Question{{Name: presentation(q.name()), Qtype: q.qtype, Qclass: q.qclass}}
	}
	info := r.fill(m, q, wellformed)
	if q.edns.present {
		m.Extra = append(m.Extra, r.opt(&q.edns, q.client, tcp, info))
	}
	return m
}

// fill sets the answer's code and sections. It returns an extended error code
// (RFC 8914), 0 for none.
func (r *responder) fill(m *dns.Msg, q *query, wellformed bool) (info uint16) {
	switch {
	case !wellformed && q.opcode() == dns.OpcodeQuery:
		m.Rcode = dns.RcodeFormatError
	case q.opcode() != dns.OpcodeQuery:
		m.Rcode = dns.RcodeNotImplemented
	case q.edns.version != 0:
		m.Rcode = dns.RcodeBadVers
	case len(q.question) == 0:
		// a client that only wants a cookie
	case q.qtype == dns.TypeOPT:
		m.Rcode = dns.RcodeFormatError // it is no type that a name could have
	case q.qtype == dns.TypeAXFR, q.qtype == dns.TypeIXFR:
		return r.transferByQuery(m, q)
	case q.qtype == dns.TypeTKEY, q.qtype == dns.TypeTSIG, q.qtype == dns.TypeMAILA, q.qtype == dns.TypeMAILB:
		m.Rcode = dns.RcodeNotImplemented
	case q.qclass != dns.ClassINET:
		m.Rcode = dns.RcodeRefused
	default:
		return r.lookup(m, q)
	}
	return info
}

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
