package dnsserve

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/internal/zone"
)

// Versions is the zone's content by version, which is what is transferred: the same
// content under the same serial, whichever replica is asked. See store.Journal. Its
// methods are called concurrently and must answer at once.
type Versions interface {
	// Serial returns the serial of the current version; ok is false if it is not known.
	Serial() (serial uint32, ok bool)

	// Current returns the current version: its serial, and the values of each name.
	Current() (serial uint32, names map[uuid.UUID][]string, ok bool)

	// Since returns the changes from the version with that serial to the current one;
	// ok is false if they are not known.
	Since(serial uint32) (changes []zone.Change, ok bool)

	// Changed returns a channel that is closed when there is another version than now.
	Changed() <-chan struct{}

	// CatchUp returns when the current version is at least what any replica has shown
	// before the call, or when ctx is done.
	CatchUp(ctx context.Context)
}

// Transfers says who may transfer the zone. Those are the only ones.
type Transfers struct {
	Versions    Versions
	Secondaries []zone.Secondary

	// Keys returns the keys of the secondaries that have one.
	Keys func() []Key

	// TLS, if not nil, is for transfers over TLS (RFC 9103), at the addresses ListenTLS,
	// in the form of Config.Listen.
	TLS       *tls.Config
	ListenTLS []string
}

const (
	// envelope is about how much is put into one message of a transfer: names are
	// compressed there, and pointers reach the first 16 KB.
	envelope = 16 << 10

	// maxTransfers is how many transfers there may be at a time; each has the zone's names in memory.
	maxTransfers = 16

	// catchUp is how long a transfer waits until this replica has what others may have
	// shown before. With an older answer a secondary of several replicas could go back:
	// NSD 4.6 asks from the version before one that it is just loading.
	catchUp = 300 * time.Millisecond
)

// transfers answers secondaries, and tells them of changes.
type transfers struct {
	*Transfers
	origin string // with the final dot
	name   []byte // the same on the wire

	serialName string // zone.SerialName, with the final dot
	soa        func(serial uint32) dns.RR
	running    chan struct{}
	stats      transferStats
	log        *slog.Logger

	refusals  *refusals
	arrivals  arrivals
	notifiers []*notifier
}

func newTransfers(c Config, r *responder) *transfers {
	t := &transfers{
		Transfers: c.Transfers, origin: r.origin, name: r.names.origin, running: make(chan struct{}, maxTransfers), log: c.Log,
		serialName: dns.Fqdn(c.Zone.SerialName()), refusals: newRefusals(c.Transfers.Secondaries), soa: r.soaOf,
	}
	if t.Keys == nil {
		t.Transfers = &Transfers{}
		*t.Transfers = *c.Transfers
		t.Keys = func() []Key { return nil }
	}
	for _, s := range c.Transfers.Secondaries {
		for _, server := range s.Notify {
			t.notifiers = append(t.notifiers, newNotifier(t, s, server))
		}
	}
	return t
}

// bindTLS binds the addresses for transfers over TLS.
func (s *Server) bindTLS(t *Transfers) error {
	if t == nil || t.TLS == nil {
		return nil
	}
	for _, address := range t.ListenTLS {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			return bindError(err)
		}
		l := newTCPListener(listener, s.config)
		l.tls = t.TLS
		s.tls = append(s.tls, l)
	}
	return nil
}

// TLSAddrs returns the addresses for transfers over TLS.
func (s *Server) TLSAddrs() (addrs []netip.AddrPort) {
	for _, l := range s.tls {
		addrs = append(addrs, l.addr())
	}
	return addrs
}

// allowed reports whether a query may transfer the zone: by its key, or where a
// secondary has none, by its address, which over TCP nobody can forge.
func (t *transfers) allowed(q *query) bool {
	return slices.ContainsFunc(t.Secondaries, func(s zone.Secondary) bool {
		if len(s.Keys) > 0 {
			return q.key != nil && slices.Contains(s.Keys, q.key.Name)
		}
		at := func(server netip.AddrPort) bool { return server.Addr() == q.client }
		return slices.ContainsFunc(s.Servers, at) || slices.ContainsFunc(s.Notify, at)
	})
}

// asked reports whether a message asks for a transfer of the zone. It looks at the
// type first, where that is in such a message: every query over TCP comes through here.
func (t *transfers) asked(msg []byte) bool {
	at := headerLen + len(t.name)
	if len(msg) < at+4 {
		return false
	}
	if qtype := binary.BigEndian.Uint16(msg[at:]); qtype != dns.TypeAXFR && qtype != dns.TypeIXFR {
		return false
	}
	var q query
	_, wellformed := q.parse(msg)
	return wellformed && q.opcode() == dns.OpcodeQuery && q.edns.version == 0 && len(q.question) > 0 &&
		(q.qtype == dns.TypeAXFR || q.qtype == dns.TypeIXFR) && q.qclass == dns.ClassINET && equalFold(q.name(), t.name)
}

// transferByQuery answers a question for AXFR or IXFR that is not answered by a
// transfer: of somebody who may not, for another name than the zone's, or over UDP,
// where the SOA tells a secondary to come over TCP (RFC 1995 section 2).
func (r *responder) transferByQuery(m *dns.Msg, q *query) (info uint16) {
	if r.transfers == nil || !r.transfers.allowed(q) {
		if r.transfers != nil {
			r.transfers.refused(q, "no right")
		}
		m.Rcode = dns.RcodeRefused
		return dns.ExtendedErrorCodeProhibited
	}
	soa, known := r.currentSOA()
	switch {
	case !equalFold(q.name(), r.names.origin):
		m.Rcode = dns.RcodeNotAuth
	case q.qtype == dns.TypeAXFR: // RFC 5936 section 4.2: not over UDP
		m.Rcode = dns.RcodeRefused
	case !known:
		m.Rcode = dns.RcodeServerFailure
		return dns.ExtendedErrorCodeNotReady
	default:
		m.Authoritative, m.Answer = true, []dns.RR{&soa}
	}
	return 0
}

// refused counts a transfer that is refused, and logs it unless it has been lately.
func (t *transfers) refused(q *query, why string) {
	t.stats.refused.Add(1)
	if t.refusals.log(q.client, why, time.Now()) {
		t.log.Warn("a zone transfer, or another signed message, is refused", "client", q.client, "reason", why)
	}
}

var errBusy = errors.New("too many transfers at a time")

// transfer answers a message for which asked is true: by a transfer, or by an error.
// Send takes each message. An error of its own ends it, and the connection.
func (r *responder) transfer(send func([]byte) error, msg []byte, client netip.Addr) error {
	q := query{client: client}
	_, _ = q.parse(msg)
	var s *signature
	if q.signed {
		var err error
		if s, err = verify(msg, r.transfers.Keys()); err == nil && s.error == 0 {
			q.key = &s.key
		}
	}
	if !r.transfers.allowed(&q) {
		return send(r.respond(nil, msg, client, true))
	}
	select {
	case r.transfers.running <- struct{}{}:
		defer func() { <-r.transfers.running }()
	default:
		return errBusy
	}
	waiting, cancel := context.WithTimeout(context.Background(), catchUp)
	r.transfers.Versions.CatchUp(waiting)
	cancel()
	m := r.reply(&q, true, true) // the SOA, or an error: see transferByQuery
	m.Answer, m.Question[0].Name = nil, letters(q.name())
	w := &transferWriter{send: send, first: m, signature: s}
	records, kind, rcode := r.transferred(&q, msg)
	m.Rcode, m.Authoritative = rcode, rcode == dns.RcodeSuccess
	r.transfers.stats.sent[kind].Add(1)
	records(w.add)
	err := w.end()
	if err == nil && rcode == dns.RcodeSuccess {
		r.transfers.arrived(&q, transferKinds[kind])
	}
	return err
}
