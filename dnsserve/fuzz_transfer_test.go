package dnsserve

import (
	"log/slog"
	"net/netip"
	"testing"

	"github.com/miekg/dns"
)

// FuzzTransfer sends any message to a server that has secondaries: there is no panic,
// nothing of the zone without the key, and no answer over UDP that is too large.
func FuzzTransfer(f *testing.F) {
	config := testConfig(f, "acme.example.com", []string{"ns.example.com"}, &fakeRecords{complete: true})
	config.MaxConnections, config.Log = 1, slog.New(slog.DiscardHandler)
	list, err := config.Zone.Secondaries([]string{"ns1.example.net=192.0.2.1,key=transfer"})
	if err != nil {
		f.Fatal(err)
	}
	config.Transfers = &Transfers{Versions: newVersions(), Secondaries: list, Keys: func() []Key { return []Key{testKey, otherKey} }}
	var r responder
	if err := r.init(config); err != nil {
		f.Fatal(err)
	}
	for _, m := range []*dns.Msg{axfr(), ixfr(0xfffffffe), ixfr(7), challengeQuery(), new(dns.Msg).SetQuestion("_serial.acme.example.com.", dns.TypeTXT)} {
		wire, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(wire)
		for _, k := range []Key{testKey, otherKey} {
			wire, _ := signedBy(f, m, k, nil)
			f.Add(wire)
		}
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		s, err := verify(msg, []Key{testKey})
		genuine := err == nil && s.error == 0
		client := netip.MustParseAddr("198.51.100.7")
		if out := r.respond(nil, msg, client, false); len(out) > maxUDPAnswer {
			t.Errorf("%d octets over UDP", len(out))
		}
		if !r.transfers.asked(msg) {
			return
		}
		_ = r.transfer(func(answer []byte) error {
			var m dns.Msg
			if err := m.Unpack(answer); err != nil {
				t.Errorf("an answer that cannot be read: %v", err)
			}
			if len(m.Answer) > 0 && !genuine {
				t.Errorf("transferred without the key: %v", &m)
			}
			return nil
		}, msg, client)
	})
}
