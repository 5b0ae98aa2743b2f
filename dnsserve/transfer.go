package dnsserve

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
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

	// refusedInterval is between two lines of the log about transfers that are refused.
	refusedInterval = time.Minute
)

// transfers answers secondaries, and tells them of changes.
type transfers struct {
	*Transfers
	origin  string // with the final dot
	name    []byte // the same on the wire
	running chan struct{}
	stats   transferStats
	log     *slog.Logger

	refusedAt atomic.Int64 // when the log last had a line, in Unix nanoseconds
	notifiers []*notifier
}

func newTransfers(c Config, r *responder) *transfers {
	t := &transfers{
		Transfers: c.Transfers, origin: r.origin, name: r.names.origin, running: make(chan struct{}, maxTransfers), log: c.Log,
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

// asked reports whether a message asks for a transfer of the zone.
func (t *transfers) asked(msg []byte) bool {
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

// refused counts a transfer that is refused, and logs it now and then.
func (t *transfers) refused(q *query, why string) {
	t.stats.refused.Add(1)
	now, last := time.Now().UnixNano(), t.refusedAt.Load()
	if now-last > int64(refusedInterval) && t.refusedAt.CompareAndSwap(last, now) {
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
	return w.end()
}

// transferred decides what is sent: records, each given to yield until that fails.
func (r *responder) transferred(q *query, msg []byte) (records func(yield func(dns.RR) bool), kind transferKind, rcode int) {
	none := func(func(dns.RR) bool) {}
	if q.qtype == dns.TypeIXFR {
		have, ok := serialOf(msg)
		if !ok {
			return none, transferFailed, dns.RcodeFormatError
		}
		current, known := r.transfers.Versions.Serial()
		if known && !zone.SerialLess(have, current) { // RFC 1995 section 2: the same or newer
			return func(yield func(dns.RR) bool) { yield(r.soaOf(current)) }, transferCurrent, dns.RcodeSuccess
		}
		if changes, ok := r.transfers.Versions.Since(have); ok && len(changes) > 0 && r.worth(changes) {
			return r.incremental(changes), transferIXFR, dns.RcodeSuccess
		}
	}
	serial, names, ok := r.transfers.Versions.Current()
	if !ok {
		return none, transferFailed, dns.RcodeServerFailure
	}
	return r.whole(serial, names), transferAXFR, dns.RcodeSuccess
}

// serialOf returns the serial that an IXFR query is from (RFC 1995 section 3).
func serialOf(msg []byte) (serial uint32, ok bool) {
	var m dns.Msg
	if err := m.Unpack(msg); err != nil || len(m.Ns) != 1 {
		return 0, false
	}
	soa, ok := m.Ns[0].(*dns.SOA)
	if !ok {
		return 0, false
	}
	return soa.Serial, true
}

func (r *responder) soaOf(serial uint32) dns.RR {
	soa := r.soa
	soa.Serial = serial
	return &soa
}

// worth reports whether changes are less than the whole zone is.
func (r *responder) worth(changes []zone.Change) bool {
	records := 0
	for _, c := range changes {
		records += 2
		for _, n := range c.Names {
			records += len(n.Removed) + len(n.Added)
		}
	}
	if records < 100 {
		return true
	}
	_, names, _ := r.transfers.Versions.Current()
	return records < 2*len(names)
}

// whole is the zone, between two SOA records (RFC 5936 section 2.2).
func (r *responder) whole(serial uint32, names map[uuid.UUID][]string) func(yield func(dns.RR) bool) {
	return func(yield func(dns.RR) bool) {
		if !yield(r.soaOf(serial)) {
			return
		}
		apex := &dns.Msg{}
		r.delegation(apex)
		for _, rr := range slices.Concat(apex.Answer, apex.Extra) {
			if !yield(rr) {
				return
			}
		}
		for id, values := range names {
			if !r.values(id, values, yield) {
				return
			}
		}
		yield(r.soaOf(serial))
	}
}

// incremental is the changes, each with its two SOA records (RFC 1995 section 4).
func (r *responder) incremental(changes []zone.Change) func(yield func(dns.RR) bool) {
	last := r.soaOf(changes[len(changes)-1].To)
	return func(yield func(dns.RR) bool) {
		if !yield(last) {
			return
		}
		for _, c := range changes {
			if !yield(r.soaOf(c.From)) {
				return
			}
			for _, n := range c.Names {
				if !r.values(n.ID, n.Removed, yield) {
					return
				}
			}
			if !yield(r.soaOf(c.To)) {
				return
			}
			for _, n := range c.Names {
				if !r.values(n.ID, n.Added, yield) {
					return
				}
			}
		}
		yield(last)
	}
}

// values yields the TXT records of a name. It returns false when yield has.
func (r *responder) values(id uuid.UUID, values []string, yield func(dns.RR) bool) bool {
	m := &dns.Msg{}
	addValues(m, id.String()+"."+r.origin, values)
	return !slices.ContainsFunc(m.Answer, func(rr dns.RR) bool { return !yield(rr) })
}

// transferWriter cuts a transfer into messages.
type transferWriter struct {
	send      func([]byte) error
	first     *dns.Msg   // with the question and OPT, nil once it is sent
	signature *signature // nil for none

	m    *dns.Msg
	size int
	sent bool
	err  error
}

// add adds a record. It returns false when the transfer has failed.
func (w *transferWriter) add(rr dns.RR) bool {
	if w.size += dns.Len(rr); w.size > envelope {
		w.flush()
		w.size = dns.Len(rr)
	}
	w.message().Answer = append(w.message().Answer, rr)
	return w.err == nil
}

// message returns the one that is being filled. The question is in the first only
// (RFC 5936 section 2.2.1).
func (w *transferWriter) message() *dns.Msg {
	if w.m == nil {
		if w.m = w.first; w.sent {
			w.m = &dns.Msg{MsgHdr: w.first.MsgHdr, Compress: true}
		}
	}
	return w.m
}

func (w *transferWriter) flush() {
	if w.err != nil {
		return
	}
	var wire []byte
	if m := w.message(); w.signature != nil {
		wire, w.err = w.signature.sign(m, w.sent)
	} else {
		wire, w.err = m.Pack()
	}
	if w.err == nil {
		w.err = w.send(wire)
	}
	w.m, w.sent, w.size = nil, true, 0
}

// end sends what is left, or the one message of an error.
func (w *transferWriter) end() error {
	w.flush()
	return w.err
}
