package dnsserve

import (
	"net/netip"
	"sync"
	"time"

	"github.com/signpost-acme/signpost/internal/zone"
)

const (
	// refusedInterval is for how long a client's refusals for one reason are one line of the log.
	refusedInterval = time.Minute

	// maxRefusals is how many lines there are within it about clients that are not at the
	// address of a secondary: everybody who reaches the port can be such a client.
	maxRefusals = 10
)

// refusal is what gets a line of the log.
type refusal struct {
	client netip.Addr // see clientOf
	reason string
}

// refusals decides which refusals are logged: each client and reason once in an interval.
// What it keeps, and what is logged, is bounded by the secondaries' addresses, the few
// reasons, and maxRefusals. The addresses of secondaries have lines of their own, so
// that no other client can use them up.
type refusals struct {
	secondaries map[netip.Addr]bool

	mu     sync.Mutex
	began  time.Time
	logged map[refusal]bool
	others int // of logged, not at the address of a secondary
}

func newRefusals(list []zone.Secondary) *refusals {
	r := &refusals{secondaries: map[netip.Addr]bool{}}
	for _, s := range list {
		for _, at := range s.Peers() {
			r.secondaries[clientOf(at.Addr())] = true
		}
	}
	return r
}

// log reports whether a refusal is to be logged now.
func (r *refusals) log(client netip.Addr, reason string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.began) >= refusedInterval {
		r.began, r.logged, r.others = now, map[refusal]bool{}, 0
	}
	key := refusal{clientOf(client), reason}
	if r.logged[key] {
		return false
	}
	if !r.secondaries[key.client] {
		if r.others >= maxRefusals {
			return false
		}
		r.others++
	}
	r.logged[key] = true
	return true
}
