package dnsserve

import (
	"net/netip"
	"slices"
	"sync"
)

// maxArrivals is how many clients are remembered: a secondary may ask from many
// addresses, but only one that may transfer is counted.
const maxArrivals = 100

// arrivals are the clients that have transferred the zone since the start.
type arrivals struct {
	mu   sync.Mutex
	seen map[netip.Addr]bool
}

// first reports whether a client is a new one.
func (a *arrivals) first(client netip.Addr) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.seen[client] || len(a.seen) >= maxArrivals {
		return false
	}
	if a.seen == nil {
		a.seen = map[netip.Addr]bool{}
	}
	a.seen[client] = true
	return true
}

// arrived logs the first transfer to a client.
func (t *transfers) arrived(q *query, kind string) {
	if !t.arrivals.first(clientOf(q.client)) {
		return
	}
	key := ""
	if q.key != nil {
		key = q.key.Name
	}
	name := "" // unless it asks from where it answers, or hears of changes
	for _, s := range t.Secondaries {
		if slices.ContainsFunc(s.Peers(), func(at netip.AddrPort) bool { return at.Addr() == q.client }) {
			name = s.Name
		}
	}
	serial, _ := t.Versions.Serial()
	t.log.Info("a secondary transfers the zone, for the first time since the start", "client", q.client, "secondary", name, "key", key, "transfer", kind, "serial", serial)
}
