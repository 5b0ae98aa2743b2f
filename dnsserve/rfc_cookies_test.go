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
		got := ask(network, client)
		for name, ok := range map[string]bool{
			"RFC 7873 section 4: the client's cookie, and a server cookie of 16 octets": len(got) == 24 && bytes.Equal(got[:8], client),
			"RFC 9018 section 4.1 and 4.2: version 1 and three zeros":                   bytes.Equal(got[8:12], []byte{1, 0, 0, 0}),
			"RFC 9018 section 4.3: the time":                                            time.Since(time.Unix(int64(binary.BigEndian.Uint32(got[12:])), 0)).Abs() < 5*time.Minute,
			"RFC 9018 section 4.4: another client's hash is another one":                !bytes.Equal(ask(network, []byte("abcdefgh"))[16:], got[16:]),
			"RFC 7873 section 5.2.5: to our own cookie, one for the same client":        bytes.Equal(ask(network, got)[:8], client),
		} {
			t.Run(name+", over "+network, func(t *testing.T) {
				if !ok {
					t.Errorf("%x", got)
				}
			})
		}
	}
}

// A cookie is good for this client, for an hour.
func TestCookieLifetime(t *testing.T) {
	c, err := newCookies()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	cookie := c.answer([]byte("12345678"), client, now)
	for name, tc := range map[string]struct {
		after time.Duration
		valid bool
	}{
		"RFC 9018 section 4.3: at once":                    {0, true},
		"RFC 9018 section 4.3: after less than an hour":    {59 * time.Minute, true},
		"RFC 9018 section 4.3: after more than an hour":    {61 * time.Minute, false},
		"RFC 9018 section 4.3: from a clock that is ahead": {-4 * time.Minute, true},
		"RFC 9018 section 4.3: from the future":            {-6 * time.Minute, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.valid(cookie[:], client, now.Add(tc.after)); got != tc.valid {
				t.Errorf("valid = %v", got)
			}
		})
	}
}
