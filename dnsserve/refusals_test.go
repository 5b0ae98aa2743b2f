package dnsserve

import (
	"bytes"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signpost-acme/signpost/internal/zone"
)

// Each client and reason has a line a minute, and nobody can fill the log, or take a
// secondary's line away.
func TestRefusalsLogged(t *testing.T) {
	z, err := zone.New("acme.example.com")
	if err != nil {
		t.Fatal(err)
	}
	list, err := z.Secondaries([]string{"ns1.example.net=192.0.2.1,2001:db8::1,key=transfer,notify=192.0.2.2"})
	if err != nil {
		t.Fatal(err)
	}
	r, now := newRefusals(list), time.Now()
	stranger := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)}) }
	for range 2 { // the second time a minute later
		n := 0
		for i := range 10_000 {
			if r.log(stranger(i), "no right", now) {
				n++
			}
		}
		if n != maxRefusals {
			t.Errorf("%d lines about strangers", n)
		}
		for _, from := range []string{"192.0.2.1", "192.0.2.2", "2001:db8::7"} { // an IPv6 network is one client
			for _, reason := range []string{"no right", "BADKEY", "BADSIG"} {
				if at := netip.MustParseAddr(from); !r.log(at, reason, now) || r.log(at, reason, now) {
					t.Errorf("%s of %s is not logged once", reason, from)
				}
			}
		}
		if len(r.logged) > maxRefusals+9 {
			t.Errorf("%d are kept", len(r.logged))
		}
		now = now.Add(refusedInterval)
	}
}

// logging runs a server that logs into what is returned.
func logging(t *testing.T, secondary string) (*Server, func() string) {
	t.Helper()
	out := &log{}
	s := serve(t, func(c *Config) {
		list, err := c.Zone.Secondaries([]string{secondary})
		if err != nil {
			t.Fatal(err)
		}
		c.Log = slog.New(slog.NewTextHandler(out, nil))
		c.Transfers = &Transfers{Versions: newVersions(), Secondaries: list, Keys: func() []Key { return []Key{testKey, otherKey} }}
	}, "127.0.0.1:0")
	return s, out.String
}

// A wrong key is logged although the same client was refused for another reason before.
func TestRefusalsOfAWrongKey(t *testing.T) {
	s, log := logging(t, "ns1.example.net=192.0.2.1,key=transfer,notify=127.0.0.1:9")
	wrong := testKey
	wrong.Secret = []byte("another secret, of 32 octets too")
	plain, _ := axfr().Pack()
	signed, _ := signedBy(t, axfr(), wrong, nil)
	dial(t, s, "tcp").exchange(t, signed)
	if n := s.transfers.stats.refused.Load(); n != 1 || strings.Contains(log(), "no right") {
		t.Errorf("one refusal is counted as %d:\n%s", n, log())
	}
	for range 3 {
		dial(t, s, "tcp").exchange(t, plain)
		dial(t, s, "tcp").exchange(t, signed)
	}
	for _, reason := range []string{`"no right"`, "BADSIG"} {
		if n := strings.Count(log(), "reason="+reason+"\n"); n != 1 {
			t.Errorf("%d lines about %s:\n%s", n, reason, log())
		}
	}
}

// The first transfer to a secondary is logged, and no other.
func TestFirstTransferLogged(t *testing.T) {
	s, log := logging(t, "ns1.example.net=127.0.0.1:9,key=transfer")
	for range 3 {
		transfer(t, s, axfr(), &testKey)
	}
	const line = "a secondary transfers the zone, for the first time since the start"
	if n := strings.Count(log(), line); n != 1 || !strings.Contains(log(), "client=127.0.0.1 secondary=ns1.example.net key=transfer transfer=axfr serial=") {
		t.Errorf("%d lines:\n%s", n, log())
	}
	var a arrivals
	for i := range 1000 {
		a.first(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}))
	}
	if len(a.seen) > maxArrivals {
		t.Errorf("%d clients are kept", len(a.seen))
	}
}

// log is what a server has logged.
type log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
