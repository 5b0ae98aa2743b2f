package dnsserve

import (
	"encoding/binary"
	"net/netip"

	"github.com/miekg/dns"
)

const (
	headerLen     = 12
	maxNameOctets = 255

	bitResponse  = 1 << 15
	bitAuthority = 1 << 10
	bitTruncated = 1 << 9
	bitRecursion = 1 << 8 // desired
	bitChecking  = 1 << 4 // disabled
	maskOpcode   = 0xf << 11
)

// query is a message from a client, taken apart. It points into the message.
type query struct {
	id    uint16
	flags uint16
	size  int // of the message

	question []byte // name, type and class as they came; empty without a question
	qtype    uint16
	qclass   uint16

	edns edns

	signed bool // has a TSIG record
	key    *Key // that it is signed with, once that is verified

	client netip.Addr // whom it is from; parse leaves it alone

	labels  int       // of the name, without the root
	offsets [128]byte // in question, of each label
}

func (q *query) opcode() int { return int(q.flags & maskOpcode >> 11) }

// name returns the question's name on the wire, with the root.
func (q *query) name() []byte { return q.question[:len(q.question)-4] }

// parse takes msg apart. Answerable is false for what must be met with silence:
// something too short to be a message, and answers. Wellformed is false for
// what is to be met with FORMERR; what could be read before is in q.
//
// This is not miekg/dns's Unpack, which accepts messages that end in the middle
// of a question, and rejects EDNS options that it does not know how to read.
func (q *query) parse(msg []byte) (answerable, wellformed bool) {
	q.size, q.question, q.labels, q.edns = len(msg), nil, 0, edns{}
	q.signed = false
	if len(msg) < headerLen {
		return false, false
	}
	q.id = binary.BigEndian.Uint16(msg)
	q.flags = binary.BigEndian.Uint16(msg[2:])
	if q.flags&bitResponse != 0 {
		return false, false
	}
	var counts [4]int
	for i := range counts {
		counts[i] = int(binary.BigEndian.Uint16(msg[4+2*i:]))
	}
	if counts[0] > 1 {
		return true, false // which of them? RFC 9619
	}
	rest := msg[headerLen:]
	if counts[0] == 1 {
		if rest = q.parseQuestion(rest); rest == nil {
			return true, false
		}
	}
	for section, count := range counts[1:] {
		for range count {
			if rest = q.parseRecord(rest, section == 2); rest == nil {
				return true, false
			}
		}
	}
	if counts[0] == 0 && q.opcode() == dns.OpcodeQuery && q.edns.cookie == nil {
		return true, false // only a client that wants a cookie asks nothing (RFC 7873 section 5.4)
	}
	return true, len(rest) == 0
}

// parseQuestion reads the question at the front of b and returns what follows,
// nil if it is malformed. A compressed name is: there is nothing to point to.
func (q *query) parseQuestion(b []byte) []byte {
	i := 0
	for n := 0; ; n++ {
		if i >= len(b) || i >= maxNameOctets {
			return nil
		}
		size := int(b[i])
		if size == 0 {
			i++
			q.labels = n
			break
		}
		if size > 63 {
			return nil
		}
		q.offsets[n] = byte(i)
		i += 1 + size
	}
	if len(b) < i+4 {
		q.labels = 0
		return nil
	}
	q.qtype = binary.BigEndian.Uint16(b[i:])
	q.qclass = binary.BigEndian.Uint16(b[i+2:])
	q.question = b[:i+4]
	return b[i+4:]
}

// parseRecord reads the resource record at the front of b and returns what
// follows, never nil unless it is malformed. Only OPT is looked into.
func (q *query) parseRecord(b []byte, additional bool) []byte {
	i := 0
	for { // the owner
		if i >= len(b) {
			return nil
		}
		size := int(b[i])
		if size >= 0xc0 { // a pointer ends a name
			i += 2
			break
		}
		if size > 63 {
			return nil
		}
		i += 1 + size
		if size == 0 {
			break
		}
	}
	const fixed = 10 // type, class, TTL and RDLENGTH
	if len(b) < i+fixed {
		return nil
	}
	rtype, class := binary.BigEndian.Uint16(b[i:]), binary.BigEndian.Uint16(b[i+2:])
	ttl, size := binary.BigEndian.Uint32(b[i+4:]), int(binary.BigEndian.Uint16(b[i+8:]))
	end := i + fixed + size
	if len(b) < end {
		return nil
	}
	if rtype == dns.TypeOPT {
		if !additional || q.edns.present || i != 1 { // RFC 6891 section 6.1.1: one, owned by the root
			return nil
		}
		if !q.edns.parse(class, ttl, b[i+fixed:end]) {
			return nil
		}
	}
	if rtype == dns.TypeTSIG && additional {
		q.signed = true
	}
	return b[end:]
}
