package dnsserve

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"time"

	"github.com/dchest/siphash"
	"github.com/miekg/dns"
)

const (
	// maxUDPAnswer is the largest answer sent over UDP, also to a client that says
	// it takes more: larger ones are fragmented on the way, and fragments get lost or forged.
	maxUDPAnswer = 1232

	// maxAmplification is how many times as large as the query an answer over UDP
	// may be where the query's source may be forged, which only a server cookie of
	// ours disproves: nobody is to be hit by what others ask. Four values fit.
	maxAmplification = 4
)

// edns is what a client's OPT record says (RFC 6891). Options that are not
// listed are ignored.
type edns struct {
	present   bool
	size      uint16 // the client's, at least 512
	version   uint8
	dnssecOK  bool
	nsid      bool   // asks who we are (RFC 5001)
	keepalive bool   // asks how long a TCP connection may be idle (RFC 7828)
	cookie    []byte // client cookie, perhaps with a server cookie (RFC 7873); nil if none
}

// parse reads an OPT record's class, TTL and options. It returns false if they
// are malformed.
func (e *edns) parse(class uint16, ttl uint32, options []byte) bool {
	e.present = true
	e.size = max(class, dns.MinMsgSize)
	e.version = uint8(ttl >> 16)
	e.dnssecOK = ttl&(1<<15) != 0
	for len(options) > 0 {
		if len(options) < 4 {
			return false
		}
		code, size := binary.BigEndian.Uint16(options), int(binary.BigEndian.Uint16(options[2:]))
		if options = options[4:]; len(options) < size {
			return false
		}
		data := options[:size]
		options = options[size:]
		if e.version != 0 {
			continue // what options mean there is not known
		}
		switch code {
		case dns.EDNS0NSID:
			e.nsid = true
		case dns.EDNS0TCPKEEPALIVE:
			e.keepalive = true
		case dns.EDNS0COOKIE:
			if size != 8 && (size < 16 || size > 40) { // RFC 7873 section 5.2.2
				return false
			}
			if e.cookie == nil {
				e.cookie = data
			}
		}
	}
	return true
}

// plain reports whether the answer's OPT record, if any, has no options.
func (e *edns) plain() bool {
	return e.version == 0 && !e.nsid && !e.keepalive && e.cookie == nil
}

// limit returns how large the answer to q may be. What only configuration can
// make large fits, however short the question.
func (r *responder) limit(q *query, tcp bool) int {
	if tcp {
		return dns.MaxMsgSize
	}
	limit := dns.MinMsgSize
	if q.edns.present {
		limit = min(int(q.edns.size), maxUDPAnswer)
	}
	if q.edns.cookie != nil && r.cookies.valid(q.edns.cookie, q.client, time.Now()) {
		return limit
	}
	return min(limit, max(maxAmplification*q.size, q.size+r.configured))
}

// opt returns the OPT record of the answer: a fresh one, that repeats nothing
// of the client's but DO. Info, if not 0, is an extended error (RFC 8914).
func (r *responder) opt(e *edns, client netip.Addr, tcp bool, info uint16) *dns.OPT {
	o := &dns.OPT{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeOPT}}
	o.SetUDPSize(maxUDPAnswer)
	if e.dnssecOK {
		o.SetDo()
	}
	if e.version != 0 {
		return o
	}
	if e.nsid {
		o.Option = append(o.Option, &dns.EDNS0_NSID{Code: dns.EDNS0NSID, Nsid: r.identity})
	}
	if e.cookie != nil {
		cookie := r.cookies.answer(e.cookie[:8], client, time.Now())
		o.Option = append(o.Option, &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: hex.EncodeToString(cookie[:])})
	}
	if e.keepalive && tcp {
		o.Option = append(o.Option, &dns.EDNS0_TCP_KEEPALIVE{Code: dns.EDNS0TCPKEEPALIVE, Timeout: uint16(tcpIdle / (100 * time.Millisecond))})
	}
	if info != 0 {
		o.Option = append(o.Option, &dns.EDNS0_EDE{InfoCode: info})
	}
	return o
}

// cookies makes server cookies (RFC 9018 section 4). They are given to whoever
// asks for one and required of nobody.
type cookies struct{ key0, key1 uint64 }

func newCookies() (c cookies, err error) {
	var secret [16]byte
	if _, err = rand.Read(secret[:]); err != nil {
		return c, err
	}
	return cookies{binary.LittleEndian.Uint64(secret[:]), binary.LittleEndian.Uint64(secret[8:])}, nil
}

// valid reports whether a cookie, of 8 to 40 octets, was given to this client, by
// this server, not long ago (RFC 9018 section 4.3).
func (c cookies) valid(cookie []byte, client netip.Addr, now time.Time) bool {
	if len(cookie) != 24 {
		return false
	}
	at := time.Unix(int64(binary.BigEndian.Uint32(cookie[12:])), 0)
	if age := now.Sub(at); age > time.Hour || age < -5*time.Minute {
		return false
	}
	want := c.answer(cookie[:8], client, at)
	return subtle.ConstantTimeCompare(want[:], cookie) == 1
}

// answer returns the client's cookie of 8 octets with the server's 16 behind it.
func (c cookies) answer(clientCookie []byte, client netip.Addr, now time.Time) (cookie [24]byte) {
	copy(cookie[:8], clientCookie)
	cookie[8] = 1 // version; three reserved octets follow
	binary.BigEndian.PutUint32(cookie[12:], uint32(now.Unix()))
	var input [32]byte
	copy(input[:], cookie[:16])
	n := 16
	if client.Is4() {
		a := client.As4()
		n += copy(input[n:], a[:])
	} else {
		a := client.As16()
		n += copy(input[n:], a[:])
	}
	binary.LittleEndian.PutUint64(cookie[16:], siphash.Hash(c.key0, c.key1, input[:n]))
	return cookie
}
