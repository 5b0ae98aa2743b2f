package dnsserve

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/miekg/dns"
)

const testID = "01917426-a1cd-547e-bc8e-ca4d7b697e62"

var client = netip.MustParseAddr("192.0.2.7")

func challengeRecords() *fakeRecords {
	return &fakeRecords{values: map[uuid.UUID][]string{uuid.MustParse(testID): {"value", "other"}}, complete: true}
}

func challengeResponder(t testing.TB) *responder {
	return newResponder(t, "acme.example.com", []string{"ns.acme.example.com=192.0.2.1"}, challengeRecords())
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// checkAnswer checks what must hold for the answer to any message whatever that
// has no cookie of ours.
func checkAnswer(t testing.TB, r *responder, query, answer []byte, tcp bool) {
	t.Helper()
	if len(query) < 12 || query[2]&0x80 != 0 {
		if len(answer) != 0 {
			t.Fatalf("%x: answered with %x, want silence", query, answer)
		}
		return
	}
	m := new(dns.Msg)
	if err := m.Unpack(answer); err != nil {
		t.Fatalf("%x: the answer %x cannot be read: %v", query, answer, err)
	}
	var q plainQuery
	q.read(query)
	switch opt := m.IsEdns0(); {
	case !bytes.Equal(answer[:2], query[:2]) || !m.Response || m.RecursionAvailable || m.Zero || m.AuthenticatedData:
		t.Fatalf("%x: header of the answer %x", query, answer)
	case len(m.Question) > 1 || len(m.Question) == 1 && !bytes.HasPrefix(answer[12:], q.question):
		t.Fatalf("%x: the answer %x has another question", query, answer)
	case opt != nil && opt.Version() != 0:
		t.Fatalf("%x: OPT of version %d", query, opt.Version())
	case !tcp && len(answer) > maxUDPAnswer, !tcp && opt == nil && len(answer) > dns.MinMsgSize:
		t.Fatalf("%x: %d octets over UDP", query, len(answer))
	case !tcp && len(answer) > max(maxAmplification*len(query), len(query)+r.configured):
		t.Fatalf("%x: %d octets over UDP to a query of %d", query, len(answer), len(query))
	case m.Truncated && len(m.Answer)+len(m.Ns) > 0:
		t.Fatalf("%x: a part of an answer with TC", query)
	case m.Authoritative && len(m.Question) == 0:
		t.Fatalf("%x: AA without a question", query)
	case m.Authoritative && !strings.HasSuffix("."+strings.ToLower(m.Question[0].Name), ".acme.example.com."):
		t.Fatalf("%x: AA outside the zone", query)
	case m.Authoritative && !m.Truncated && len(m.Answer) == 0 && (len(m.Ns) != 1 || m.Ns[0].Header().Rrtype != dns.TypeSOA):
		t.Fatalf("%x: a negative answer without SOA", query)
	case m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError && len(answer) > len(query)+11+24+4+len(r.identity)/2+4+6:
		t.Fatalf("%x: an error of %d octets to a query of %d", query, len(answer), len(query))
	}
}

// plainQuery reads a question without sharing code with what is under test.
type plainQuery struct{ question []byte }

func (q *plainQuery) read(msg []byte) {
	if binary.BigEndian.Uint16(msg[4:]) != 1 {
		return
	}
	_, off, err := dns.UnpackDomainName(msg, 12)
	if err == nil && off+4 <= len(msg) {
		q.question = msg[12 : off+4]
	}
}
