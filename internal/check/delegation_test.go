package check_test

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/dnstest"
	"github.com/signpost-acme/signpost/internal/zone"
)

const nsFlag = "ns.example.com=" + ourServer

func TestDelegation(t *testing.T) {
	parent := func(records string) func(*testing.T, *world) {
		return func(t *testing.T, w *world) {
			w.Serve("example.com", "@ NS ns0\nns0 A 127.53.0.10\n"+records, parentServer)
			w.serve(t, ourServer, nsFlag)
		}
	}
	// front puts something between the world and our server.
	front := func(hook dnstest.Hook) func(*testing.T, *world) {
		return func(_ *testing.T, w *world) { w.Hook(ourServer, hook) }
	}
	inside := func(records string) func(*testing.T, *world) {
		return func(t *testing.T, w *world) {
			const flag = "ns.acme.example.com=" + ourServer
			w.Nameservers, _ = w.Zone.Nameservers([]string{flag})
			w.Serve("example.com", "@ NS ns0\nns0 A 127.53.0.10\nacme NS ns.acme\n"+records, parentServer)
			w.serve(t, ourServer, flag)
		}
	}
	for _, tc := range []struct {
		name  string
		world func(*testing.T, *world)
		want  []string // all that is not OK
		hint  string   // part of the first one's
	}{
		{"right", parent("acme NS ns\nns A 127.53.0.20"), nil, ""},
		{"right, inside the zone", inside("ns.acme A 127.53.0.20"), nil, ""},
		{"no NS", parent("ns A 127.53.0.20"), []string{"delegation-missing"}, "Add acme.example.com NS ns.example.com at the DNS provider of example.com."},
		{"another NS", parent("acme NS other\nns A 127.53.0.20"), []string{"delegation-differs"}, "and remove acme.example.com NS other.example.com"},
		{"one NS too many", parent("acme NS ns\nacme NS other\nns A 127.53.0.20"), []string{"delegation-differs"}, "Remove acme.example.com NS other.example.com"},
		{"a DS", parent("acme NS ns\nacme DS 1 13 2 aabb\nns A 127.53.0.20"), []string{"delegation-signed"}, "Remove the DS record"},
		{"no address", parent("acme NS ns"), []string{"nameserver-missing"}, "Add ns.example.com A 127.53.0.20 with"},
		{"an alias", parent("acme NS ns\nns CNAME lb\nlb A 127.53.0.20"), []string{"nameserver-cname"}, "RFC 2181"},
		{"one more address", parent("acme NS ns\nns A 127.53.0.20\nns A 127.53.0.21"), []string{"nameserver-differs", "server-udp"}, "to ns.example.com A 127.53.0.20, and"},
		{"no glue", inside(""), []string{"glue-missing"}, "Add ns.acme.example.com A 127.53.0.20 beside the NS record"},
		{"other glue", inside("ns.acme A 127.53.0.21"), []string{"glue-differs", "server-udp"}, "Change the glue"},
		{"nobody there", func(*testing.T, *world) {}, []string{"server-udp"}, "Let UDP port 53"},
		{"silence", front(dnstest.Silent), []string{"server-udp"}, "Let UDP port 53"},
		{"another server", front(dnstest.Fails(dns.RcodeRefused)), []string{"server-not-authoritative"}, "does not serve acme.example.com"},
		{"no TCP", front(func(q *dns.Msg, network string) (*dns.Msg, bool) {
			if network == "tcp" {
				return nil, true
			}
			return ourAnswer(q), true
		}), []string{"server-tcp"}, "Let TCP port 53"},
		{"another server at TCP", front(func(q *dns.Msg, network string) (*dns.Msg, bool) {
			if network == "tcp" {
				return dnstest.Fails(dns.RcodeRefused)(q, network)
			}
			return ourAnswer(q), true
		}), []string{"server-tcp"}, "Send TCP port 53"},
		{"not authoritative", front(func(q *dns.Msg, _ string) (*dns.Msg, bool) {
			m := ourAnswer(q)
			m.Authoritative = false
			return m, true
		}), []string{"server-not-authoritative"}, "Point ns.example.com"},
		{"letters", front(func(q *dns.Msg, _ string) (*dns.Msg, bool) {
			m := ourAnswer(q)
			m.Question[0].Name = strings.ToLower(m.Question[0].Name)
			return m, true
		}), []string{"server-letters"}, "random letters"},
		{"no EDNS", front(func(q *dns.Msg, _ string) (*dns.Msg, bool) {
			m := ourAnswer(q)
			m.Extra = nil
			return m, true
		}), []string{"server-edns"}, "EDNS"},
		{"other settings", func(t *testing.T, w *world) { w.serve(t, ourServer, "ns9.example.com") }, []string{"server-other"}, "the same --zone and --nameserver"},
		{"more settings", func(t *testing.T, w *world) { w.serve(t, ourServer, "ns.example.com", "ns9.example.com") }, []string{"server-ns"}, "the same --nameserver"},
		{"the parent is silent", func(t *testing.T, w *world) {
			w.serve(t, ourServer, nsFlag)
			w.Hook(parentServer, func(q *dns.Msg, _ string) (*dns.Msg, bool) {
				return nil, q.Question[0].Name == "acme.example.com."
			})
		}, []string{"delegation-unknown"}, "do not answer"},
		{"the resolver is silent", func(t *testing.T, w *world) {
			w.serve(t, ourServer, nsFlag)
			w.Hook(resolver, dnstest.Silent)
		}, []string{"delegation-unknown", "nameserver-unknown"}, "--resolver"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if strings.Contains(tc.name, "silen") || strings.Contains(tc.name, "no TCP") {
				w.Timeout = 300 * time.Millisecond
			}
			tc.world(t, w)
			got := w.Delegation(context.Background())
			agree(t, got)
			if !slices.Equal(bad(got), tc.want) {
				t.Fatalf("got %+v, want %q", got, tc.want)
			}
			for _, r := range got {
				if r.Status != check.OK {
					if !strings.Contains(r.Hint, tc.hint) {
						t.Errorf("got %+v, want hint %q in it", r, tc.hint)
					}
					break
				}
			}
			if len(tc.want) == 0 {
				if r := get(t, got, "server"); !strings.Contains(r.Seen, `"replica-1"`) {
					t.Errorf("got %+v, want the server's identity", r)
				}
				return
			}
			if again := w.Delegation(context.Background()); !slices.Equal(again, got) {
				t.Errorf("got %+v, and then %+v", got, again)
			}
		})
	}
}

// ourAnswer is as our server would answer for SOA and NS.
func ourAnswer(q *dns.Msg) *dns.Msg {
	m := dnstest.Reply(q)
	m.Authoritative = true
	h := dns.RR_Header{Name: q.Question[0].Name, Rrtype: q.Question[0].Qtype, Class: dns.ClassINET}
	if h.Rrtype == dns.TypeNS {
		m.Answer = []dns.RR{&dns.NS{Hdr: h, Ns: "ns.example.com."}}
	} else {
		m.Answer = []dns.RR{&dns.SOA{Hdr: h, Ns: "ns.example.com.", Mbox: "hostmaster.example.com."}}
	}
	return m
}

// Without --nameserver, those at the parent are checked.
func TestDelegationWithoutNameservers(t *testing.T) {
	w := newWorld(t)
	w.serve(t, ourServer, nsFlag)
	w.Nameservers = nil
	got := w.Delegation(context.Background())
	if len(bad(got)) > 0 || !strings.Contains(get(t, got, "server").Subject, ourServer) {
		t.Errorf("got %+v", got)
	}
}

// An IPv6 address that cannot be reached from here is not a failure of the server.
func TestNoRoute(t *testing.T) {
	w := newWorld(t)
	w.serve(t, ourServer, nsFlag)
	w.Serve("example.com", parentZone+"ns AAAA 2001:db8::1\n", parentServer)
	w.Nameservers = []zone.Nameserver{{Name: "ns.example.com", Addresses: []netip.Addr{netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr(ourServer)}}}
	w.Timeout = 300 * time.Millisecond
	got := w.Delegation(context.Background())
	// With an IPv6 route to nowhere it is silence, and Failed.
	if b := bad(got); len(b) != 1 || b[0] != "server-no-route" && b[0] != "server-udp" {
		t.Errorf("got %+v", got)
	}
}

// An address that the Internet cannot reach is no address of a nameserver, wherever
// it comes from.
func TestPrivateAddresses(t *testing.T) {
	for _, tc := range []struct {
		name, records string
		nameservers   []string
		want          []string
	}{
		{"both", "acme NS ns\nns A 127.53.0.20", []string{nsFlag}, []string{"nameserver-private", "server-private"}},
		{"in the DNS alone", "acme NS ns\nns A 127.53.0.20", []string{"ns.example.com"}, []string{"nameserver-private", "server-private"}},
		{"in the settings, and nothing in the DNS", "acme NS ns", []string{"ns.example.com=10.0.0.1"}, []string{"nameserver-missing", "server-private"}},
		{"in the settings, and another in the DNS", "acme NS ns\nns A 192.168.0.1", []string{"ns.example.com=10.0.0.1"}, []string{"nameserver-private", "server-private", "server-private"}},
		{"glue", "acme NS ns.acme\nns.acme A 127.53.0.20", []string{"ns.acme.example.com=127.53.0.20"}, []string{"nameserver-private", "server-private"}},
		{"at the parent, with no settings", "acme NS ns\nns A 127.53.0.20", nil, []string{"nameserver-private", "server-private"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.PrivateAddresses, w.Timeout = false, 300*time.Millisecond
			w.Serve("example.com", "@ NS ns0\nns0 A 127.53.0.10\n"+tc.records, parentServer)
			w.serve(t, ourServer, "ns.example.com=127.53.0.20")
			w.Nameservers = nil
			if len(tc.nameservers) > 0 {
				w.Nameservers, _ = w.Zone.Nameservers(tc.nameservers)
			}
			found := w.Delegation(context.Background())
			agree(t, found)
			if got := bad(found); !slices.Equal(got, tc.want) {
				t.Errorf("got %+v, want %q", got, tc.want)
			}
		})
	}
}
