// Package check compares what the DNS says with what has to be there, as the world
// sees it, and says in a Finding what is wrong and what to do. It may import provider and zone.
// Its proof is one wrong world per way to fail, in its tests.
package check

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/signpost-acme/signpost/internal/zone"
)

// Checker compares what the DNS says with what has to be there for Zone. Its
// fields must not change once it is used; its methods may be called from many
// goroutines at once. Each is bounded in time, also if ctx is not: Look and
// CNAME to about ten seconds, Domain and Delegation to half a minute.
type Checker struct {
	Zone *zone.Zone

	// Nameservers are those that Zone should be delegated to. If there are none,
	// Delegation takes those that the parent names.
	Nameservers []zone.Nameserver

	// Secondaries are those servers among them that transfer the zone.
	Secondaries []zone.Secondary

	// Serial returns the zone's serial at the primary, if it is known; nil if it never is.
	Serial func() (uint32, bool)

	// Primaries are addresses of Signpost, asked for the zone's serial where Serial does
	// not know it.
	Primaries []netip.AddrPort

	// Resolvers are recursive resolvers as host:port, asked in this order until one
	// answers. None: those of /etc/resolv.conf.
	Resolvers []string

	// Namespaces returns the scopes that are known; nil for none. A CNAME to the
	// target of another scope is then said to be that of this namespace.
	Namespaces func() []string

	// Port is that of authoritative servers. 0 means 53; tests set another.
	Port uint16

	// Timeout is how long a server may take for one answer; it is asked twice. 0
	// means 2 s.
	Timeout time.Duration

	// ResolverOnly has Look ask the resolvers, for clusters that reach no other DNS
	// servers. Their caches then count: a record that was deleted counts until its
	// TTL ends, and a new one is seen when their negative answer has expired.
	ResolverOnly bool

	// PrivateAddresses is for people whose CA is their own and reaches addresses that
	// the Internet does not. Without it, Delegation says Failed of such an address of
	// ours, and does not ask there.
	PrivateAddresses bool

	registries registries
	instead    instead

	peeks       peeks
	delegated   delegated
	connections connections

	system struct { // the resolvers of /etc/resolv.conf
		once sync.Once
		list []string
	}
}

// Whole checks are bounded by so many timeouts of a query.
const (
	queriesOfCNAME  = 5
	queriesOfOthers = 15
)

func (c *Checker) timeout() time.Duration {
	if c.Timeout > 0 {
		return c.Timeout
	}
	return 2 * time.Second
}

func (c *Checker) bound(ctx context.Context, queries int) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, time.Duration(queries)*c.timeout())
}
