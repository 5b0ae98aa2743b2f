package dnsserve

import (
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/netip"

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

	transfers *transfers // nil: nothing is transferred

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

// head is an answer with the question and without a decision.
func (r *responder) head(q *query) *dns.Msg {
	m := &dns.Msg{Compress: true}
	m.Id, m.Response, m.Opcode = q.id, true, q.opcode()
	m.RecursionDesired = q.flags&bitRecursion != 0
	m.CheckingDisabled = q.flags&bitChecking != 0
	if len(q.question) > 0 {
		m.Question = []dns.Question{{Name: presentation(q.name()), Qtype: q.qtype, Qclass: q.qclass}}
	}
	return m
}

// reply decides on the answer.
func (r *responder) reply(q *query, tcp, wellformed bool) *dns.Msg {
	m := r.head(q)
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
