package dnsserve

import (
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// answerTo asks over UDP and returns the answer, taken apart.
func answerTo(t testing.TB, s *Server, name string, qtype uint16) *dns.Msg {
	t.Helper()
	query, err := new(dns.Msg).SetQuestion(name, qtype).SetEdns0(1232, false).Pack()
	if err != nil {
		t.Fatal(err)
	}
	m := new(dns.Msg)
	if err := m.Unpack(dial(t, s, "udp").exchange(t, query)); err != nil {
		t.Fatal(err)
	}
	return m
}

// What holds for every name and type of a zone, whatever they are.
func TestEveryNameAndType(t *testing.T) {
	nameservers := []string{"ns1.acme.example.com=192.0.2.11,2001:db8::11", "ns2.a.dns.acme.example.com=192.0.2.12", "ns.example.net"}
	config := testConfig(t, "acme.example.com", nameservers, challengeRecords())
	s := serve(t, func(c *Config) { c.Nameservers, c.Records = config.Nameservers, config.Records }, "127.0.0.1:0")
	const origin = "acme.example.com."
	exist := []string{origin, "ns1." + origin, "ns2.a.dns." + origin, "a.dns." + origin, "dns." + origin, testID + "." + origin, "9cc75bfc-78bd-50c2-8636-0932fd3aceed." + origin}
	var absent []string
	for _, name := range append(slices.Clone(exist), "x."+origin, "*."+origin) {
		absent = append(absent, "x."+name, "*."+name, "x.y."+name)
	}
	types := []uint16{0, dns.TypeA, dns.TypeNS, dns.TypeCNAME, dns.TypeSOA, dns.TypeTXT, dns.TypeAAAA, dns.TypeCAA, dns.TypeDNAME, dns.TypeDS, dns.TypeNSEC, dns.TypeHTTPS, 1000, 65280, 65535}

	t.Run("RFC 1034 section 6.2.2: AA on everything in the zone", func(t *testing.T) {
		for _, name := range append(slices.Clone(exist), absent...) {
			for _, qtype := range types {
				if m := answerTo(t, s, name, qtype); !m.Authoritative || m.RecursionAvailable {
					t.Errorf("%s %s: %v", name, dns.Type(qtype), m)
				}
			}
		}
	})
	t.Run("RFC 8020 section 2: what is below NXDOMAIN is NXDOMAIN, what is above a name is not", func(t *testing.T) {
		for _, name := range exist {
			for _, qtype := range types {
				if m := answerTo(t, s, name, qtype); m.Rcode != dns.RcodeSuccess {
					t.Errorf("%s %s: %v", name, dns.Type(qtype), m)
				}
			}
		}
		for _, name := range absent {
			for _, qtype := range types {
				if m := answerTo(t, s, name, qtype); m.Rcode != dns.RcodeNameError {
					t.Errorf("%s %s: %v", name, dns.Type(qtype), m)
				}
			}
		}
	})
	t.Run("RFC 2308 section 3: without data there is the SOA, with the time not to ask again; with data there is not", func(t *testing.T) {
		for _, name := range append(slices.Clone(exist), absent...) {
			for _, qtype := range types {
				m := answerTo(t, s, name, qtype)
				if len(m.Answer) > 0 {
					if len(m.Ns) != 0 {
						t.Errorf("%s %s: %v", name, dns.Type(qtype), m)
					}
					continue
				}
				if len(m.Ns) != 1 || m.Ns[0].Header().Name != origin {
					t.Errorf("%s %s: %v", name, dns.Type(qtype), m)
				} else if soa := m.Ns[0].(*dns.SOA); soa.Hdr.Ttl > soa.Minttl {
					t.Errorf("%s %s: TTL %d of the SOA, MINIMUM %d", name, dns.Type(qtype), soa.Hdr.Ttl, soa.Minttl)
				}
			}
		}
	})
	t.Run("RFC 2181 section 5: no record twice, one TTL for a set, only what was asked for", func(t *testing.T) {
		for _, name := range exist {
			for _, qtype := range types {
				seen := map[string]bool{}
				for _, rr := range answerTo(t, s, name, qtype).Answer {
					if h := rr.Header(); h.Name != name || h.Rrtype != qtype || h.Class != dns.ClassINET || seen[rr.String()] {
						t.Errorf("%s %s: %s", name, dns.Type(qtype), rr)
					}
					seen[rr.String()] = true // with its TTL
				}
			}
		}
	})
	t.Run("RFC 2181 section 10.3: a nameserver is no alias, and its addresses are where NS points", func(t *testing.T) {
		for _, rr := range answerTo(t, s, origin, dns.TypeNS).Answer {
			host := rr.(*dns.NS).Ns
			if !dns.IsSubDomain(origin, host) {
				continue
			}
			if a, c := answerTo(t, s, host, dns.TypeA), answerTo(t, s, host, dns.TypeCNAME); len(a.Answer) == 0 || len(c.Answer) != 0 {
				t.Errorf("%s: %v, %v", host, a, c)
			}
		}
	})
	t.Run("RFC 4343 section 4.1: the answer has the question's letters", func(t *testing.T) {
		for _, name := range append(slices.Clone(exist), absent...) {
			for _, fold := range []func(string) string{strings.ToUpper, strings.ToLower, strings.Title} { //nolint:staticcheck // any mixture will do
				for _, qtype := range types[:8] {
					m, lower := answerTo(t, s, fold(name), qtype), answerTo(t, s, name, qtype)
					if m.Question[0].Name != fold(name) || m.Rcode != lower.Rcode || len(m.Answer) != len(lower.Answer) {
						t.Errorf("%s %s: %v, and in lower case %v", fold(name), dns.Type(qtype), m, lower)
					}
					for _, rr := range m.Answer {
						if rr.Header().Name != fold(name) {
							t.Errorf("%s %s: %s", fold(name), dns.Type(qtype), rr)
						}
					}
				}
			}
		}
	})
}

func TestFold(t *testing.T) {
	t.Run("RFC 4343 section 3: only A to Z have two cases", func(t *testing.T) {
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
	})
}
