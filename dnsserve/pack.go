package dnsserve

import (
	"github.com/miekg/dns"
)

// pack appends m to dst. What does not fit is left out: addresses that only
// save a question first, then everything, with TC set, so that no answer is
// ever a part of an RRset, and EDNS options last.
//
// The message is packed with names in lower case, and the question then
// overwritten with the client's own letters. All names in the answer that end
// like the question point at it and so come back in those letters too; resolvers
// that randomise letters insist on it.
func (r *responder) pack(dst []byte, m *dns.Msg, q *query, tcp bool) ([]byte, error) {
	limit := r.limit(q, tcp)
	wire, err := m.PackBuffer(dst[len(dst):cap(dst)])
	if err != nil && len(m.Answer) == 0 {
		return dst, err
	}
	if err != nil || len(wire) > limit {
		opt := m.IsEdns0()
		m.Extra = nil
		if opt != nil {
			m.Extra = []dns.RR{opt}
		}
		if wire, err = m.PackBuffer(dst[len(dst):cap(dst)]); err != nil || len(wire) > limit {
			m.Answer, m.Ns, m.Truncated = nil, nil, true
			if wire, err = m.PackBuffer(dst[len(dst):cap(dst)]); err == nil && len(wire) > limit && opt != nil {
				opt.Option = nil
				wire, err = m.PackBuffer(dst[len(dst):cap(dst)])
			}
			if err != nil {
				return dst, err
			}
		}
	}
	copy(wire[min(headerLen, len(wire)):], q.question)
	return append(dst, wire...), nil // wire is in dst already if it had room
}

// presentation returns a name on the wire in presentation form, in lower case.
func presentation(wire []byte) string {
	var lower [maxNameOctets]byte
	for i, c := range wire {
		lower[i] = fold(c)
	}
	name, _, err := dns.UnpackDomainName(lower[:len(wire)], 0)
	if err != nil { // parse has checked it
		return "."
	}
	return name
}

// letters returns a name on the wire in presentation form, letter for letter.
func letters(wire []byte) string {
	name, _, err := dns.UnpackDomainName(wire, 0)
	if err != nil { // parse has checked it
		return "."
	}
	return name
}
