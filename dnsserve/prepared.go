package dnsserve

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/miekg/dns"
)

// Most queries are answered without building a message. There are three kinds
// of such answers, each made once, by the ordinary way, and then copied:
//
//   - the TXT records of a target name. All their owners point at the question
//     (0xC00C), so the bytes behind the question depend on the values alone:
//     Prepare makes them whenever the values change;
//   - NODATA and NXDOMAIN, with the zone's SOA. Its names point
//     into the question, at the zone's origin there, so the bytes are the same for
//     every question but for a few pointers, which move with the length of what is
//     before the origin;
//   - REFUSED for names outside the zone, which is nothing behind the question.
//
// An answer then is the client's ID, its question letter for letter, one of
// these, and, if the client speaks EDNS, eleven octets of OPT. All other answers
// (EDNS options, other types at the apex, answers that do not
// fit) take the ordinary way; the tests compare both ways.

// Prepare returns what follows the question in the answer with these TXT values,
// nil if it is too large for a message. It is what Records.Lookup hands back.
func Prepare(values []string) []byte {
	m := &dns.Msg{Compress: true}
	const name = "x." // any: every owner becomes a pointer to it
	m.Question = []dns.Question{{Name: name, Qtype: dns.TypeTXT, Qclass: dns.ClassINET}}
	addValues(m, name, values)
	wire, err := m.Pack()
	if err != nil { // more than a message can have
		return nil
	}
	return bytes.Clone(wire[headerLen+len(name)+1+4:])
}

// negative is the authority section of answers without data.
type negative struct {
	section  []byte
	pointers []int // where in section the pointers into the question are, each of two octets
	base     int   // where the origin was in the message for which section was made

	// taken are the labels that names in the SOA have directly above the origin, in
	// lower case. Below them a name could be compressed further than in section.
	taken [][]byte
}

// newNegative makes the section by packing it for two questions and seeing what differs.
func (r *responder) newNegative() (n negative, err error) {
	one, err := r.packNegative("!") // labels that no nameserver has
	if err != nil {
		return n, err
	}
	two, err := r.packNegative("!!")
	if err != nil {
		return n, err
	}
	if len(one) != len(two) {
		return n, errors.New("dnsserve: the SOA is packed in two ways")
	}
	n.section, n.base = one, headerLen+2
	for i := range one {
		if one[i] != two[i] {
			if two[i] != one[i]+1 || i == 0 || one[i-1] != 0xc0 {
				return n, errors.New("dnsserve: a difference in the packed SOA is no pointer")
			}
			n.pointers = append(n.pointers, i-1)
		}
	}
	n.taken = [][]byte{[]byte(hostmaster)}
	if host := dns.SplitDomainName(r.ns[0].Name); dns.IsSubDomain(r.origin, dns.Fqdn(r.ns[0].Name)) {
		n.taken = append(n.taken, []byte(host[len(host)-r.names.depth-1]))
	}
	return n, nil
}

func (r *responder) packNegative(label string) ([]byte, error) {
	name := label + "." + r.origin
	soa := r.soa
	soa.Hdr.Ttl = ttlNegative
	m := &dns.Msg{Compress: true, Ns: []dns.RR{&soa}}
	m.Question = []dns.Question{{Name: name, Qtype: dns.TypeTXT, Qclass: dns.ClassINET}}
	wire, err := m.Pack()
	if err != nil {
		return nil, fmt.Errorf("dnsserve: %w", err)
	}
	return wire[headerLen+len(name)+1+4:], nil
}

// fits reports whether the section can follow a question that has this label
// directly above the origin.
func (n *negative) fits(label []byte) bool {
	for _, t := range n.taken {
		if equalFold(label, t) {
			return false
		}
	}
	return true
}

// appendTo appends the section for a message in which the origin is at offset.
func (n *negative) appendTo(dst []byte, offset int) []byte {
	start := len(dst)
	dst = append(dst, n.section...)
	move := uint16(offset - n.base)
	for _, p := range n.pointers {
		at := dst[start+p:]
		binary.BigEndian.PutUint16(at, binary.BigEndian.Uint16(at)+move)
	}
	return dst
}

// prepared answers q if that needs no building: it appends the answer to dst, or
// returns done false and leaves dst alone.
func (r *responder) prepared(dst []byte, q *query, tcp bool) (out []byte, rcode int, done bool) {
	if len(q.question) == 0 || q.opcode() != dns.OpcodeQuery || q.qclass != dns.ClassINET || !q.edns.plain() || !isDataType(q.qtype) {
		return dst, 0, false
	}
	k, id, _ := r.names.classify(q)
	head := bitResponse | q.flags&(bitRecursion|bitChecking)
	room := r.limit(q, tcp) - headerLen - len(q.question) - len(optRecord)
	switch {
	case k == outside:
		dst = appendHead(dst, q, head|dns.RcodeRefused, 0, 0)
		return appendOPT(dst, &q.edns, true), dns.RcodeRefused, true
	case k == target && q.qtype == dns.TypeTXT:
		values, answer, complete := r.records.Lookup(id)
		if len(values) > 0 {
			if answer == nil || len(answer) > room {
				return dst, 0, false
			}
			r.asked(id, q.client)
			dst = appendHead(dst, q, head|bitAuthority, len(values), 0)
			dst = append(dst, answer...)
			return appendOPT(dst, &q.edns, false), dns.RcodeSuccess, true
		}
		if !complete {
			return dst, 0, false
		}
	case k == target:
	case k == nothing && r.negative.fits(q.aboveOrigin(r.names.depth)):
		rcode = dns.RcodeNameError
	default:
		return dst, 0, false
	}
	if len(r.negative.section) > room {
		return dst, 0, false
	}
	dst = appendHead(dst, q, head|bitAuthority|uint16(rcode), 0, 1)
	dst = r.negative.appendTo(dst, headerLen+int(q.offsets[q.labels-r.names.depth]))
	if r.transfers != nil {
		serial, _ := r.transfers.Versions.Serial()
		binary.BigEndian.PutUint32(dst[len(dst)-soaNumbers:], serial)
	}
	return appendOPT(dst, &q.edns, false), rcode, true
}

// soaNumbers is the size of what an SOA record ends with: the serial and four times.
const soaNumbers = 20

// isDataType reports whether a name could have records of this type, so that not
// having any is the whole answer. Meta types and ANY are not (RFC 6895 section 3.1).
func isDataType(t uint16) bool { return t != dns.TypeOPT && (t < 128 || t > 255) }

// aboveOrigin returns the label directly above the origin of a zone with that many labels.
func (q *query) aboveOrigin(depth int) []byte {
	at := int(q.offsets[q.labels-depth-1])
	return q.question[at+1 : at+1+int(q.question[at])]
}

// appendHead appends the header and the question.
func appendHead(dst []byte, q *query, flags uint16, answers, authorities int) []byte {
	dst = append(dst, byte(q.id>>8), byte(q.id), byte(flags>>8), byte(flags), 0, 1,
		byte(answers>>8), byte(answers), 0, byte(authorities), 0, 0)
	if q.edns.present {
		dst[len(dst)-1] = 1
	}
	return append(dst, q.question...)
}

var (
	optRecord  = []byte{0, 0, byte(dns.TypeOPT), maxUDPAnswer >> 8, maxUDPAnswer & 0xff, 0, 0, 0, 0, 0, 0}
	optRefused = []byte{0, 0, byte(dns.TypeOPT), maxUDPAnswer >> 8, maxUDPAnswer & 0xff, 0, 0, 0, 0, 0, 6,
		0, byte(dns.EDNS0EDE), 0, 2, 0, byte(dns.ExtendedErrorCodeNotAuthoritative)}
)

// appendOPT appends the OPT record, if the client sent one.
func appendOPT(dst []byte, e *edns, refused bool) []byte {
	if !e.present {
		return dst
	}
	at := len(dst) + 7 // of the flags
	if refused {
		dst = append(dst, optRefused...)
	} else {
		dst = append(dst, optRecord...)
	}
	if e.dnssecOK {
		dst[at] = 0x80
	}
	return dst
}
