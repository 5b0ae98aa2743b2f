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

func challengeResponder(t testing.TB) *responder {
	return newResponder(t, "acme.example.com", []string{"ns.acme.example.com=192.0.2.1"},
		&fakeRecords{values: map[uuid.UUID][]string{uuid.MustParse(testID): {"value", "other"}}, complete: true})
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Messages that miekg/dns would not pack, or would accept. The question is
// "a. IN A", which is outside the zone; the answer's header is in hexadecimal.
func TestMalformed(t *testing.T) {
	const (
		question = "0161 00 0001 0001"
		opt      = "00 0029 04d0 00000000 0000"
		formErr  = "8001"
		refused  = "8005"
		silence  = ""
	)
	header := func(counts string) string { return "1234 0000 " + counts }
	r := challengeResponder(t)
	for name, tc := range map[string]struct{ query, flags string }{
		"nothing":                          {"", silence},
		"eleven octets":                    {"1234 0000 0001 0000 0000 00", silence},
		"an answer":                        {"1234 8000 0001 0000 0000 0000" + question, silence},
		"an answer that is a bare header":  {"1234 8000 0000 0000 0000 0000", silence},
		"wellformed":                       {header("0001 0000 0000 0000") + question, refused},
		"bare header, QDCOUNT 1":           {header("0001 0000 0000 0000"), formErr},
		"bare header, QDCOUNT 0":           {header("0000 0000 0000 0000"), formErr},
		"ends after the name":              {header("0001 0000 0000 0000") + "0161 00", formErr},
		"ends after the type":              {header("0001 0000 0000 0000") + "0161 00 0001", formErr},
		"ends in a label":                  {header("0001 0000 0000 0000") + "0561 61", formErr},
		"no root":                          {header("0001 0000 0000 0000") + "0161", formErr},
		"QDCOUNT 2":                        {header("0002 0000 0000 0000") + question + question, formErr},
		"QDCOUNT 2 with one question":      {header("0002 0000 0000 0000") + question, formErr},
		"name points at itself":            {header("0001 0000 0000 0000") + "c00c 0001 0001", formErr},
		"name points forward":              {header("0001 0000 0000 0000") + "c012 0001 0001 0161 00", formErr},
		"extended label type":              {header("0001 0000 0000 0000") + "4161 00 0001 0001", formErr},
		"name of 256 octets":               {header("0001 0000 0000 0000") + strings.Repeat("0161", 127) + "0100" + "00 0001 0001", formErr},
		"octets behind the end":            {header("0001 0000 0000 0000") + question + "00", formErr},
		"ARCOUNT 1 without a record":       {header("0001 0000 0000 0001") + question, formErr},
		"two OPTs":                         {header("0001 0000 0000 0002") + question + opt + opt, formErr},
		"OPT whose owner is not the root":  {header("0001 0000 0000 0001") + question + "0161" + opt, formErr},
		"OPT in the answer section":        {header("0001 0001 0000 0000") + question + opt, formErr},
		"OPT longer than the message":      {header("0001 0000 0000 0001") + question + "00 0029 04d0 00000000 0004", formErr},
		"option longer than OPT":           {header("0001 0000 0000 0001") + question + "00 0029 04d0 00000000 0004 0003 0001", formErr},
		"empty ZONEVERSION option":         {header("0001 0000 0000 0001") + question + "00 0029 04d0 00000000 0004 0013 0000", refused},
		"ECS option that is nonsense":      {header("0001 0000 0000 0001") + question + "00 0029 04d0 00000000 0005 0008 0001 ff", refused},
		"TSIG that nobody understands":     {header("0001 0000 0000 0001") + question + "0162 00 00fa 00ff 00000000 0001 ff", refused},
		"record with a compressed owner":   {header("0001 0000 0000 0001") + question + "c00c 0001 0001 00000000 0000", refused},
		"cookie without a question":        {header("0000 0000 0000 0001") + "00 0029 04d0 00000000 000c 000a 0008 0102030405060708", "8000"},
		"NOTIFY without a question":        {"1234 2000 0000 0000 0000 0000", "a004"},
		"unknown opcode with garbage":      {"1234 7800 0001 0000 0000 0000 ffff", "f804"},
		"all flags set but QR: RD CD stay": {"1234 07f0 0001 0000 0000 0000" + question, "8115"},
	} {
		t.Run(name, func(t *testing.T) {
			query := unhex(t, tc.query)
			got := r.respond(nil, query, client, false)
			if tc.flags == silence {
				if len(got) != 0 {
					t.Fatalf("answered with %x, want silence", got)
				}
				return
			}
			if len(got) < 12 || hex.EncodeToString(got[:2]) != "1234" || hex.EncodeToString(got[2:4]) != tc.flags {
				t.Fatalf("answer %x, want ID 1234 and flags %s", got, tc.flags)
			}
			checkAnswer(t, r, query, got, false)
		})
	}
}

// A name of exactly 255 octets and labels of 63 are fine.
func TestLongestNames(t *testing.T) {
	r := challengeResponder(t)
	longest := strings.Repeat("a", 63) + "." + strings.Repeat("b", 63) + "." + strings.Repeat("c", 63) + "." + strings.Repeat("d", 44) + ".acme.example.com."
	m := new(dns.Msg).SetQuestion(longest, dns.TypeTXT)
	wire, err := m.Pack()
	if err != nil || len(wire) != 12+255+4 {
		t.Fatal(len(wire), err)
	}
	got := r.respond(nil, wire, client, false)
	checkAnswer(t, r, wire, got, false)
	if got[3]&0xf != dns.RcodeNameError {
		t.Errorf("rcode %d, want NXDOMAIN", got[3]&0xf)
	}
}

// checkAnswer checks what must hold for the answer to any message whatever.
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

func FuzzRespond(f *testing.F) {
	for _, name := range []string{testID + ".acme.example.com.", "acme.example.com.", "ns.acme.example.com.", "x.acme.example.com.", ".", `a\.b\000.acme.example.com.`} {
		for _, qtype := range []uint16{dns.TypeTXT, dns.TypeSOA, dns.TypeNS, dns.TypeANY, dns.TypeAXFR, dns.TypeOPT} {
			m := new(dns.Msg).SetQuestion(name, qtype)
			wire, _ := m.Pack()
			f.Add(wire, false)
			m.SetEdns0(4096, true)
			opt := m.IsEdns0()
			opt.Option = append(opt.Option, &dns.EDNS0_NSID{Code: dns.EDNS0NSID},
				&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0102030405060708"}, &dns.EDNS0_LOCAL{Code: dns.EDNS0TCPKEEPALIVE})
			wire, _ = m.Pack()
			f.Add(wire, true)
		}
	}
	r := challengeResponder(f)
	f.Fuzz(func(t *testing.T, query []byte, tcp bool) {
		before := bytes.Clone(query)
		answer := r.respond(make([]byte, 0, maxUDPAnswer), query, client, tcp)
		if !bytes.Equal(query, before) {
			t.Fatalf("%x: the query was changed", before)
		}
		checkAnswer(t, r, query, answer, tcp)
		sameAnswer(t, r, query, tcp)
	})
}

// An identity that does not fit is left out; no answer is larger than allowed.
func TestOversizedIdentity(t *testing.T) {
	config := testConfig(t, "acme.example.com", []string{"ns.example.com"}, &fakeRecords{complete: true})
	config.Identity = strings.Repeat("A", 3000)
	r := &responder{}
	if err := r.init(config); err != nil {
		t.Fatal(err)
	}
	m := new(dns.Msg).SetQuestion("acme.example.com.", dns.TypeSOA).SetEdns0(4096, false)
	m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_NSID{Code: dns.EDNS0NSID}}
	wire, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	if got := r.respond(nil, wire, client, false); len(got) > maxUDPAnswer {
		t.Errorf("an answer of %d octets over UDP", len(got))
	}
}

// Nameservers may be called anything.
func TestNameserverNames(t *testing.T) {
	for _, name := range []string{"x", "xx", "ns.x", "hostmaster", "a.hostmaster"} {
		r := newResponder(t, "acme.example.com", []string{name + ".acme.example.com=192.0.2.1"}, &fakeRecords{complete: true})
		for _, q := range []string{"x", "xx", "y.x", "hostmaster", "y.hostmaster", "b.a.hostmaster", "z"} {
			m := new(dns.Msg).SetQuestion(q+".acme.example.com.", dns.TypeTXT)
			wire, err := m.Pack()
			if err != nil {
				t.Fatal(err)
			}
			sameAnswer(t, r, wire, false)
			checkAnswer(t, r, wire, r.respond(nil, wire, client, false), false)
		}
	}
}

// Only A to Z are folded (RFC 4343).
func TestFold(t *testing.T) {
	for i := range 256 {
		c := byte(i)
		want := c
		if strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZ", rune(c)) {
			want = c - 'A' + 'a'
		}
		if got := fold(c); got != want {
			t.Errorf("fold(%d) = %d, want %d", c, got, want)
		}
	}
}
