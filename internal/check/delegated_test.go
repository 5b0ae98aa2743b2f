package check_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/dnstest"
)

func TestDelegated(t *testing.T) {
	const fine = "acme NS ns\nns A 127.53.0.20"
	parent := func(records string) func(*testing.T, *world) {
		return func(t *testing.T, w *world) {
			w.Serve("example.com", "@ NS ns0\nns0 A 127.53.0.10\n"+records, parentServer)
			w.serve(t, ourServer, nsFlag)
		}
	}
	// refuses has the parent, or the resolver, do something else with questions about our zone.
	refuses := func(at string, hook dnstest.Hook) func(*testing.T, *world) {
		return func(t *testing.T, w *world) {
			parent(fine)(t, w)
			w.Hook(at, func(q *dns.Msg, network string) (*dns.Msg, bool) {
				if !dns.IsSubDomain("acme.example.com.", strings.ToLower(q.Question[0].Name)) {
					return nil, false
				}
				return hook(q, network)
			})
		}
	}
	for _, tc := range []struct {
		name   string
		world  func(*testing.T, *world)
		status check.Status
		check  string
	}{
		{"right", parent(fine), check.OK, "delegation"},
		{"other nameservers, which may be right too", parent("acme NS other\nother A 127.53.0.20"), check.OK, "delegation"},
		{"our server is away", func(*testing.T, *world) {}, check.OK, "delegation"},
		{"no NS", parent("ns A 127.53.0.20"), check.Failed, "delegation-missing"},
		{"something else there", parent("acme A 127.53.0.20"), check.Failed, "delegation-missing"},
		{"the parent is silent", refuses(parentServer, dnstest.Silent), check.Unknown, "delegation-unknown"},
		{"the parent refuses", refuses(parentServer, dnstest.Fails(dns.RcodeRefused)), check.Unknown, "delegation-unknown"},
		{"the resolver says that it does not exist", refuses(resolver, dnstest.Fails(dns.RcodeNameError)), check.OK, "delegation"},
		{"bogus", refuses(resolver, func(q *dns.Msg, _ string) (*dns.Msg, bool) {
			m := new(dns.Msg).SetReply(q)
			if !q.CheckingDisabled {
				m.Rcode = dns.RcodeServerFailure
			}
			return m, true
		}), check.Failed, "delegation-signed"},
		{"only a resolver is asked", func(t *testing.T, w *world) {
			parent("")(t, w)
			w.ResolverOnly = true
		}, check.Unknown, "delegation-unknown"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if strings.Contains(tc.name, "silent") || strings.Contains(tc.name, "refuses") {
				w.Timeout = 300 * time.Millisecond
			}
			tc.world(t, w)
			if f := w.Delegated(context.Background()); f.Status != tc.status || f.Check != tc.check || f.Status == check.Failed && f.Hint == "" {
				t.Errorf("got %+v, want %s, %s", f, tc.status, tc.check)
			}
		})
	}
}

// A delegation that is added is seen within seconds. One that was there is not asked
// about again for a minute, however many looks there are.
func TestDelegatedIsRemembered(t *testing.T) {
	w := newWorld(t)
	w.Serve("example.com", "@ NS ns0\nns0 A 127.53.0.10\n", parentServer)
	began := time.Now()
	if f := w.Delegated(t.Context()); f.Status != check.Failed {
		t.Fatalf("got %+v", f)
	}
	w.Serve("example.com", "@ NS ns0\nns0 A 127.53.0.10\nacme NS ns\nns A 127.53.0.20", parentServer)
	if f := w.Delegated(t.Context()); f.Status != check.Failed && time.Since(began) < 5*time.Second {
		t.Errorf("asked again at once: %+v", f)
	}
	seen := time.Now()
	for w.Delegated(t.Context()).Status != check.OK {
		if time.Since(seen) > 20*time.Second {
			t.Fatal("the delegation is not seen")
		}
		time.Sleep(100 * time.Millisecond)
	}
	var asked atomic.Int32
	w.Hook(parentServer, func(*dns.Msg, string) (*dns.Msg, bool) { asked.Add(1); return nil, true })
	for range 100 {
		if f := w.Delegated(t.Context()); f.Status != check.OK {
			t.Errorf("got %+v", f)
		}
	}
	if n := asked.Load(); n > 0 {
		t.Errorf("%d questions", n)
	}
}
