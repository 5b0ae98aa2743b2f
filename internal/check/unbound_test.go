package check_test

import (
	"context"
	"strings"
	"testing"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/dnstest"
)

// A real validating resolver, with a real memory: a broken chain of trust is seen, a
// zone without DNSSEC is none, and the resolver's cache does not count.
func TestUnbound(t *testing.T) {
	t.Run("bogus", func(t *testing.T) {
		w := newWorld(t)
		w.Resolvers = []string{w.unbound(t, `trust-anchor: "customer.example. DS 12345 13 2 `+strings.Repeat("ab", 32)+`"`)}
		w.setDomain(w.right())
		if got := w.Look(context.Background(), scope, domain); got.Check != "dnssec-bogus" {
			t.Errorf("got %+v", got)
		}
		if got := w.Domain(context.Background(), scope, domain, check.CA{}); got[0].Check != "dnssec-bogus" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("remembers", func(t *testing.T) {
		w := newWorld(t)
		w.Resolvers = []string{w.unbound(t, "")}
		now := func(want string, resolvers string) {
			t.Helper()
			if got := w.Look(context.Background(), scope, domain); got.Check != want {
				t.Errorf("got %+v, want %s", got, want)
			}
			if got := w.CNAME(context.Background(), scope, domain); got.Check != resolvers {
				t.Errorf("the resolver has %+v, want %s", got, resolvers)
			}
		}
		now("cname-missing", "cname-missing") // CNAME asks too early
		w.setDomain(w.right())
		now("cname", "cname-missing")
		w.Resolvers = []string{w.unbound(t, "")}
		w.Checker = &check.Checker{Zone: w.Zone, Resolvers: w.Resolvers, Port: w.World.Port}
		now("cname", "cname")
		w.setDomain("")
		now("cname-missing", "cname")
	})
}

// unbound runs an Unbound that knows the world's domain, and returns its address:port.
func (w *world) unbound(t *testing.T, setting string) string {
	t.Helper()
	return dnstest.Unbound(t, map[string]string{".": w.Addr(dnstest.RootServer), domain: w.Addr(domainServer)}, setting)
}
