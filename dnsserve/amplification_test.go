package dnsserve

import (
	"encoding/hex"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/miekg/dns"
)

// crowdedConfig is a zone with all that can make answers large: four nameservers
// with addresses of both families, a name as long as a pod's, and a target with
// as many values as there can be.
func crowdedConfig(c *Config, t testing.TB) {
	t.Helper()
	var nameservers, values []string
	for i := range 4 {
		nameservers = append(nameservers, fmt.Sprintf("ns%d.acme.example.com=192.0.2.%d,2001:db8::%d", i+1, i+1, i+1))
	}
	for i := range 100 {
		values = append(values, fmt.Sprintf("%0255d", i))
	}
	from := testConfig(t, "acme.example.com", nameservers, &fakeRecords{values: map[uuid.UUID][]string{uuid.MustParse(testID): values}, complete: true})
	c.Zone, c.Nameservers, c.Records = from.Zone, from.Nameservers, from.Records
	c.Identity = "signpost-6b5f4c9d7b-" + strings.Repeat("x", 20)
}

// An answer over UDP is at most four times as large as its question, whatever the
// question, so that our servers are of no use for hitting others: RFC 5358, RFC
// 8482, RFC 7873. Some cheap answer is larger than three times its question in
// this zone, so the bound is not idle.
func TestAmplification(t *testing.T) {
	s := serve(t, func(c *Config) { crowdedConfig(c, t) }, "127.0.0.1:0")
	udp := dial(t, s, "udp")
	worst, of := 0.0, ""
	for _, name := range []string{"acme.example.com.", "ns1.acme.example.com.", testID + ".acme.example.com.", uuid.NewString() + ".acme.example.com.", "x.acme.example.com.", "hostmaster.acme.example.com.", "example.com.", "."} {
		for qtype := range uint16(260) {
			for _, class := range []uint16{dns.ClassINET, dns.ClassCHAOS, dns.ClassANY} {
				for opcode := range 7 {
					if opcode > 0 && (qtype != dns.TypeSOA || class != dns.ClassINET) {
						continue
					}
					for _, options := range [][]dns.EDNS0{nil, {}, {&dns.EDNS0_NSID{Code: dns.EDNS0NSID}}, {&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0102030405060708"}}} {
						m := new(dns.Msg).SetQuestion(name, qtype)
						m.Opcode, m.Question[0].Qclass = opcode, class
						if options != nil {
							m.SetEdns0(65535, true).IsEdns0().Option = options
						}
						query, err := m.Pack()
						if err != nil {
							t.Fatal(err)
						}
						answer := udp.exchange(t, query)
						if ratio := float64(len(answer)) / float64(len(query)); ratio > worst {
							worst, of = ratio, strings.ReplaceAll(m.String(), "\n", " ")
						}
					}
				}
			}
		}
	}
	t.Logf("at most %.2f times: %s", worst, of)
	if worst > maxAmplification || worst < 2 {
		t.Errorf("an answer is %.2f times as large as its question: %s", worst, of)
	}
}

// Who has shown by a cookie that its address is not forged gets all that fits a packet.
func TestCookieLiftsTheBound(t *testing.T) {
	values := strings.Split(strings.Repeat(strings.Repeat("x", 43)+" ", 9), " ")[:9]
	for i := range values {
		values[i] = fmt.Sprint(i) + values[i]
	}
	s := serve(t, func(c *Config) {
		c.Records = &fakeRecords{values: map[uuid.UUID][]string{uuid.MustParse(testID): values}, complete: true}
	}, "127.0.0.1:0")
	ask := func(from string, cookie []byte) *dns.Msg {
		t.Helper()
		conn, err := net.DialUDP("udp", &net.UDPAddr{IP: net.ParseIP(from)}, net.UDPAddrFromAddrPort(s.Addrs()[0]))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		m := challengeQuery().SetEdns0(1232, false)
		m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: hex.EncodeToString(cookie)}}
		query, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Unpack((&dialogue{conn: conn}).exchange(t, query)); err != nil {
			t.Fatal(err)
		}
		return m
	}
	first := ask("127.0.0.1", []byte("12345678"))
	if !first.Truncated || len(first.Answer) != 0 {
		t.Errorf("with a client cookie alone: %v", first)
	}
	cookie := unhex(t, first.IsEdns0().Option[0].(*dns.EDNS0_COOKIE).Cookie)
	if m := ask("127.0.0.1", cookie); m.Truncated || len(m.Answer) != 9 {
		t.Errorf("with our cookie: %v", m)
	}
	if m := ask("127.0.0.2", cookie); !m.Truncated {
		t.Errorf("with a cookie of ours that another address has: %v", m)
	}
	for at := range cookie {
		forged := append([]byte(nil), cookie...)
		forged[at] ^= 1
		if m := ask("127.0.0.1", forged); !m.Truncated {
			t.Errorf("with octet %d of the cookie changed: %v", at, m)
		}
	}
	if m := ask("127.0.0.1", cookie[:20]); !m.Truncated {
		t.Errorf("with a part of the cookie: %v", m)
	}
}
