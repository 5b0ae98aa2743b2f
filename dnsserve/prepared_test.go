package dnsserve

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/uuid"
	"github.com/miekg/dns"
)

// sameAnswer answers a message both ways and fails if they differ by an octet.
// It reports whether the prepared way had an answer.
func sameAnswer(t testing.TB, r *responder, msg []byte, tcp bool) bool {
	t.Helper()
	var q query
	answerable, wellformed := q.parse(msg)
	if !answerable || !wellformed {
		return false
	}
	fast, _, done := r.prepared(nil, &q, tcp)
	if !done {
		return false
	}
	slow := r.build(nil, msg, client, tcp)
	if !bytes.Equal(fast, slow) {
		t.Fatalf("query %x, tcp %v: prepared\n%x, built\n%x", msg, tcp, fast, slow)
	}
	return true
}

// Both ways of answering agree to the octet, on zones of every shape and on
// questions around the names that matter.
func TestBothWaysAgree(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for origin, nameservers := range map[string][]string{
		"acme.example.com":   {"ns.example.com"},
		"a.b":                {"ns.a.b=192.0.2.1", "ns2.x.a.b=192.0.2.2,2001:db8::1"},
		"x.y.z.example.net":  {"hostmaster.x.y.z.example.net=192.0.2.1"},
		"acme.example.org":   {"ns.somewhere.else", "acme.example.org.cdn.net"},
		"deep.a.example.com": {"a.very.deep.ns.deep.a.example.com=192.0.2.1"},
	} {
		id := uuid.MustParse(testID)
		many, large := uuid.New(), uuid.New()
		records := &fakeRecords{complete: true, values: map[uuid.UUID][]string{id: {"value", `with\backslash`}}}
		for i := range 12 {
			records.values[many] = append(records.values[many], fmt.Sprintf("%02d-LHDhK3oGRvkiefQnx7OOczTY5Tic_xZ6HcMOc_gm", i))
		}
		for i := range 40 {
			records.values[large] = append(records.values[large], fmt.Sprintf("%02d%0300d", i, i))
		}
		r := newResponder(t, origin, nameservers, records)
		prefixes := []string{"", testID + ".", many.String() + ".", large.String() + ".", uuid.NewString() + ".", "x.", "x.y.", "ns.", "hostmaster.", "x.hostmaster.",
			"x.ns.", "a.very.", "deep.ns.", "x.deep.ns.", "x." + testID + ".", "*.", `\000\255.`, `a\.b.`, "com.", "somewhere."}
		suffixes := []string{origin + ".", "x" + origin + ".", origin + ".example.", "com.", "."}
		types := []uint16{dns.TypeTXT, dns.TypeA, dns.TypeSOA, dns.TypeNS, dns.TypeCAA, dns.TypeANY, dns.TypeDS, 65280, dns.TypeAXFR, 200}
		fast, all := 0, 0
		for range 40_000 {
			name := prefixes[rng.IntN(len(prefixes))] + suffixes[min(rng.IntN(12), len(suffixes)-1)*rng.IntN(2)]
			m := new(dns.Msg).SetQuestion(dns.Fqdn(name), types[rng.IntN(len(types))*rng.IntN(2)])
			m.Id, m.RecursionDesired, m.CheckingDisabled = uint16(rng.Uint32()), rng.IntN(2) == 0, rng.IntN(2) == 0
			if rng.IntN(8) == 0 {
				m.Question[0].Qclass = uint16(rng.IntN(5))
			}
			if rng.IntN(3) > 0 {
				m.SetEdns0([]uint16{0, 512, 700, 1232, 4096, 65535}[rng.IntN(6)], rng.IntN(2) == 0)
				if rng.IntN(5) == 0 {
					opt := m.IsEdns0()
					opt.Option = append(opt.Option, &dns.EDNS0_LOCAL{Code: uint16(rng.IntN(20)), Data: []byte{1, 2, 3, 4, 5, 6, 7, 8}})
				}
			}
			wire, err := m.Pack()
			if err != nil {
				continue // a root in the middle of a name
			}
			for i := headerLen; i < len(wire) && wire[i] != 0; i += 1 + int(wire[i]) { // random letters (0x20)
				for j := i + 1; j <= i+int(wire[i]); j++ {
					if c := wire[j] | 0x20; 'a' <= c && c <= 'z' && rng.IntN(2) == 0 {
						wire[j] ^= 0x20
					}
				}
			}
			all++
			if sameAnswer(t, r, wire, rng.IntN(4) == 0) {
				fast++
			}
		}
		if fast < all/3 {
			t.Errorf("%s: only %d of %d queries were answered the prepared way", origin, fast, all)
		}
	}
}

// The prepared way allocates nothing.
func TestPreparedAllocatesNothing(t *testing.T) {
	allocatesNothing(t, benchResponder(t))
}

func allocatesNothing(t *testing.T, r *responder) {
	t.Helper()
	for name, msg := range benchQueries(t) {
		out := make([]byte, 0, maxUDPAnswer)
		if n := testing.AllocsPerRun(1000, func() { r.respond(out, msg, client, false) }); n != 0 {
			t.Errorf("%s: %v allocations a query", name, n)
		}
	}
}

// staticRecords is a Records without the cost of preparing.
type staticRecords struct {
	values   map[uuid.UUID][]string
	prepared []byte
}

func (s *staticRecords) Lookup(id uuid.UUID) ([]string, []byte, bool) {
	if v := s.values[id]; v != nil {
		return v, s.prepared, true
	}
	return nil, nil, true
}

func benchResponder(t testing.TB) *responder {
	values := []string{"LHDhK3oGRvkiefQnx7OOczTY5Tic_xZ6HcMOc_gmtoM"}
	return newResponder(t, "acme.example.com", []string{"ns.example.com"},
		&staticRecords{values: map[uuid.UUID][]string{uuid.MustParse(testID): values}, prepared: Prepare(values)})
}

func benchQueries(t testing.TB) map[string][]byte {
	queries := map[string][]byte{}
	for kind, name := range map[string]string{"known": testID + ".acme.example.com.", "letters": "01917426-A1cd-547E-bc8e-cA4d7b697e62.aCmE.eXampLe.cOm.",
		"empty": uuid.NewString() + ".acme.example.com.", "unknown": "no-such-name.acme.example.com.", "refused": "www.example.org."} {
		m := new(dns.Msg).SetQuestion(name, dns.TypeTXT).SetEdns0(1232, false)
		wire, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		queries[kind] = wire
	}
	return queries
}

func BenchmarkRespond(b *testing.B) {
	r := benchResponder(b)
	benchRespond(b, r)
	b.Run("built", func(b *testing.B) {
		msg := benchQueries(b)["known"]
		out := make([]byte, 0, maxUDPAnswer)
		b.ReportAllocs()
		for b.Loop() {
			r.build(out, msg, client, false)
		}
	})
}

func benchRespond(b *testing.B, r *responder) {
	b.Helper()
	for name, msg := range benchQueries(b) {
		b.Run(name, func(b *testing.B) {
			out := make([]byte, 0, maxUDPAnswer)
			b.ReportAllocs()
			for b.Loop() {
				r.respond(out, msg, client, false)
			}
		})
	}
}
