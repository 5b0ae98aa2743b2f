package dnsserve

import (
	"slices"

	"github.com/google/uuid"
	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/internal/zone"
)

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
		records += 4 // SOA and version, before and after
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
		for _, rr := range append(slices.Concat(apex.Answer, apex.Extra), versionText(r.transfers.serialName, serial)) {
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
			if !yield(r.soaOf(c.From)) || !yield(versionText(r.transfers.serialName, c.From)) {
				return
			}
			for _, n := range c.Names {
				if !r.values(n.ID, n.Removed, yield) {
					return
				}
			}
			if !yield(r.soaOf(c.To)) || !yield(versionText(r.transfers.serialName, c.To)) {
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
