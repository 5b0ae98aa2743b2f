package dnsserve

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// The examples of RFC 9018 appendix A: any server with the same secret makes the
// same cookies, so that servers behind one address can share it.
func TestCookieExamples(t *testing.T) {
	for name, tc := range map[string]struct {
		secret, client, address, want string
		at                            int64
	}{
		"RFC 9018 appendix A.1: learning a new Server Cookie":  {"e5e973e5a6b2a43f48e7dc849e37bfcf", "2464c4abcf10c957", "198.51.100.100", "2464c4abcf10c957010000005cf79f111f8130c3eee29480", 1559731985},
		"RFC 9018 appendix A.4: IPv6 query with rolled secret": {"445536bcd2513298075a5d379663c962", "22681ab97d52c298", "2001:db8:220:1:59de:d0f4:8769:82b8", "22681ab97d52c298010000005cf7c609a6bb79d16625507a", 1559741961},
	} {
		t.Run(name, func(t *testing.T) {
			secret := unhex(t, tc.secret)
			c := cookies{binary.LittleEndian.Uint64(secret), binary.LittleEndian.Uint64(secret[8:])}
			got := c.answer(unhex(t, tc.client), netip.MustParseAddr(tc.address), time.Unix(tc.at, 0))
			if hex.EncodeToString(got[:]) != tc.want {
				t.Errorf("%x, want %s", got, tc.want)
			}
		})
	}
}

// What a client gets over the network.
func TestCookies(t *testing.T) {
	s := serve(t, nil, "127.0.0.1:0")
	ask := func(network string, cookie []byte) []byte {
		t.Helper()
		m := challengeQuery().SetEdns0(1232, false)
		m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: hex.EncodeToString(cookie)}}
		query, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Unpack(dial(t, s, network).exchange(t, query)); err != nil || len(m.Answer) != 1 || len(m.IsEdns0().Option) != 1 {
			t.Fatalf("%v, %v", m, err)
		}
		return unhex(t, m.IsEdns0().Option[0].(*dns.EDNS0_COOKIE).Cookie)
	}
	client := []byte("12345678")
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			got := ask(network, client)
			if len(got) != 24 || !bytes.Equal(got[:8], client) {
				t.Errorf("RFC 7873 section 4: the client's cookie and a server cookie of 16 octets: %x", got)
			}
			if !bytes.Equal(got[8:12], []byte{1, 0, 0, 0}) {
				t.Errorf("RFC 9018 section 4.1: version 1 and three zeros: %x", got)
			}
			if at := time.Unix(int64(binary.BigEndian.Uint32(got[12:])), 0); time.Since(at).Abs() > 5*time.Minute {
				t.Errorf("RFC 9018 section 4.3: the time is %v", at)
			}
			if other := ask(network, []byte("abcdefgh")); bytes.Equal(other[16:], got[16:]) {
				t.Errorf("RFC 9018 section 4.4: two clients have the hash %x", got[16:])
			}
			if again := ask(network, got); !bytes.Equal(again[:8], client) || len(again) != 24 {
				t.Errorf("RFC 7873 section 5.2.5: to the whole cookie: %x", again)
			}
		})
	}
	if over := [2][]byte{ask("udp", client), ask("tcp", client)}; bytes.Equal(over[0][8:16], over[1][8:16]) && !bytes.Equal(over[0], over[1]) {
		t.Errorf("RFC 7873 section 5.2: one client, one moment, two cookies: %x over UDP, %x over TCP", over[0], over[1])
	}
}
