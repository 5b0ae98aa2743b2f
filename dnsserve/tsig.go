package dnsserve

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// fudge is how wrong the clocks may be, in seconds (RFC 8945 section 10).
const fudge = 300

// minMAC is the least that may be left of a truncated MAC, in octets (RFC 8945 section
// 5.2.2.1). A shorter one is malformed, and a longer one that is not whole is not taken.
const minMAC = 10

// signature is what a signed message needs to be answered, or an answer to be checked.
type signature struct {
	key   Key
	error uint16 // why the request is not taken: BADSIG and so on; 0 if it is
	mac   string // of the message before, in hexadecimal
	rr    dns.TSIG
}

// provider lets miekg/dns sign and verify with a key.
type provider struct{ Key }

// Generate implements dns.TsigProvider.
func (p provider) Generate(msg []byte, _ *dns.TSIG) ([]byte, error) {
	h := hmac.New(p.hash(), p.Secret)
	h.Write(msg)
	return h.Sum(nil), nil
}

// Verify implements dns.TsigProvider.
func (p provider) Verify(msg []byte, t *dns.TSIG) error {
	want, _ := p.Generate(msg, t)
	if mac, err := hex.DecodeString(t.MAC); err != nil || !hmac.Equal(want, mac) {
		return dns.ErrSig
	}
	return nil
}

func (k Key) hash() func() hash.Hash {
	if k.Algorithm == dns.HmacSHA512 {
		return sha512.New
	}
	return sha256.New
}

func (k Key) size() int { return k.hash()().Size() }

// tsigErrors are the names of the errors of a signature; miekg/dns has another one for 16.
var tsigErrors = map[uint16]string{dns.RcodeBadSig: "BADSIG", dns.RcodeBadKey: "BADKEY", dns.RcodeBadTime: "BADTIME", dns.RcodeBadTrunc: "BADTRUNC"}

var errTSIGForm = errors.New("a TSIG record is malformed, or not the last one")

// verify checks the signature of a request (RFC 8945 section 5.2). Where it is not
// valid the signature's error says why; the error returned means FORMERR.
func verify(msg []byte, keys []Key) (s *signature, err error) {
	var m dns.Msg
	if err := m.Unpack(msg); err != nil {
		return nil, err
	}
	rr := m.IsTsig()
	if rr == nil || slices.ContainsFunc(m.Extra[:len(m.Extra)-1], isTSIG) || rr.Hdr.Class != dns.ClassANY || rr.Hdr.Ttl != 0 || rr.Algorithm == "" {
		return nil, errTSIGForm
	}
	s = &signature{rr: *rr, mac: rr.MAC, error: dns.RcodeBadKey}
	name := strings.ToLower(strings.TrimSuffix(rr.Hdr.Name, "."))
	for _, k := range keys { // several may have the name, while one replaces the other
		if k.Name != name || k.Algorithm != dns.CanonicalName(rr.Algorithm) {
			continue
		}
		s.key = k
		switch size := len(rr.MAC) / 2; {
		case size > k.size(), size < max(minMAC, k.size()/2):
			return nil, errTSIGForm
		case size < k.size():
			s.error = dns.RcodeBadTrunc
			continue
		}
		err := dns.TsigVerifyWithProvider(bytes.Clone(msg), provider{k}, "", false)
		switch {
		case err == nil:
			s.error = 0
			return s, nil
		case errors.Is(err, dns.ErrTime):
			s.error = dns.RcodeBadTime
			return s, nil
		}
		s.error = dns.RcodeBadSig
	}
	return s, nil
}

func isTSIG(rr dns.RR) bool { return rr.Header().Rrtype == dns.TypeTSIG }

// sign packs an answer with its signature; further messages of a transfer, which
// follow the first, are signed with less (RFC 8945 section 5.3.1).
func (s *signature) sign(m *dns.Msg, further bool) ([]byte, error) {
	now := uint64(time.Now().Unix())
	t := &dns.TSIG{
		Hdr:       dns.RR_Header{Name: s.rr.Hdr.Name, Rrtype: dns.TypeTSIG, Class: dns.ClassANY},
		Algorithm: s.rr.Algorithm, TimeSigned: now, Fudge: fudge, OrigId: m.Id, Error: s.error,
	}
	if s.error == dns.RcodeBadTime { // section 5.2.3: the client's time, and ours
		t.TimeSigned = s.rr.TimeSigned
		t.OtherLen, t.OtherData = 6, fmt.Sprintf("%012x", now)
	}
	extra := m.Extra
	m.Extra = append(slices.Clip(extra), t)
	if s.error == dns.RcodeBadKey || s.error == dns.RcodeBadSig {
		// Section 5.3.2: unsigned. With the time, which miekg/dns would leave out: clients
		// look at it before the error, and would say that the clocks differ.
		m.Compress = false
		wire, err := m.Pack()
		m.Extra = extra
		return wire, err
	}
	wire, mac, err := dns.TsigGenerateWithProvider(m, provider{s.key}, s.mac, further)
	m.Extra = extra
	s.mac = mac
	return wire, err
}

// buildSigned answers a signed message where there are secondaries: with a signature
// (RFC 8945 section 5.3), or with what is wrong with its own.
func (r *responder) buildSigned(dst, msg []byte, client netip.Addr, tcp bool) []byte {
	q := query{client: client}
	if _, wellformed := q.parse(msg); !wellformed {
		return r.build(dst, msg, client, tcp)
	}
	m, s := r.replySigned(&q, msg, tcp)
	if s == nil {
		out, _ := r.pack(dst, m, &q, tcp)
		r.stats.count(tcp, m.Rcode, m.Truncated)
		return out
	}
	wire, err := s.sign(m, false)
	if limit := r.limit(&q, tcp); err == nil && len(wire) > limit {
		m.Answer, m.Ns, m.Truncated = nil, nil, true
		m.Extra = slices.DeleteFunc(m.Extra, func(rr dns.RR) bool { return rr.Header().Rrtype != dns.TypeOPT })
		s.mac = s.rr.MAC
		wire, err = s.sign(m, false)
	}
	if err != nil {
		r.log.Error("a DNS answer cannot be signed; this is a bug, please report it", "type", q.qtype, "err", err)
		return dst
	}
	r.stats.count(tcp, m.Rcode, m.Truncated)
	return append(dst, wire...)
}

// replySigned decides on the answer to a signed message; s is nil for FORMERR.
func (r *responder) replySigned(q *query, msg []byte, tcp bool) (m *dns.Msg, s *signature) {
	s, err := verify(msg, r.transfers.Keys())
	switch {
	case err != nil:
		return r.reply(q, tcp, false), nil
	case s.error != 0: // with the question, and nothing else
		m = r.head(q)
		m.Rcode = dns.RcodeNotAuth
		r.transfers.refused(q, tsigErrors[s.error])
	default:
		q.key = &s.key
		m = r.reply(q, tcp, true)
	}
	if len(q.question) > 0 {
		m.Question[0].Name = letters(q.name())
	}
	return m, s
}
