package web

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/signpost-acme/signpost/internal/status"
)

// indexLifetime is how long an index of one snapshot is used: what follows from the
// clock, such as an expiry, is seen so late at most.
const indexLifetime = 10 * time.Second

// Index is a snapshot with the state of every domain, counted and in order. It is
// made once for a snapshot, not for each request; it is never changed after that, and
// may be used by many goroutines.
type Index struct {
	status.Snapshot
	entries    []Row // in the snapshot's order
	tally      status.Tally
	namespaces []string // of the Certificates, sorted
	issuers    []string // kind/name, sorted
	strip      strip
	now        time.Time
	byState    func() []int // positions in entries: the worst first
	byName     func() []int
	byExpiry   func() []int
}

// Row is one domain with its state.
type Row struct {
	Domain *status.Domain
	Mark   Mark
	Expiry time.Time // of the certificate that expires first; zero for none

	Outlook status.Outlook // of the certificate that has the worst
}

// NewIndex derives what follows from a snapshot at the time now.
func NewIndex(s status.Snapshot, now time.Time) *Index {
	x := &Index{Snapshot: s, now: now, entries: make([]Row, len(s.Domains))}
	namespaces, issuers := map[string]bool{}, map[string]bool{}
	for i := range s.Domains {
		d := &s.Domains[i]
		e := Row{Domain: d, Mark: d.Mark(now), Outlook: d.Outlook()}
		for _, c := range d.Certificates {
			namespaces[c.Namespace], issuers[c.Issuer] = true, true
			if c.NotAfter != nil && (e.Expiry.IsZero() || c.NotAfter.Before(e.Expiry)) {
				e.Expiry = *c.NotAfter
			}
		}
		x.entries[i] = e
		x.tally.Add(d, e.Mark)
	}
	x.namespaces, x.issuers = slices.Sorted(maps.Keys(namespaces)), slices.Sorted(maps.Keys(issuers))
	x.strip = newStrip(x.entries, now)
	x.byState = x.order(worstFirst)
	x.byName = x.order(func(*Row, *Row) int { return 0 })
	x.byExpiry = x.order(func(a, b *Row) int {
		if a.Expiry.IsZero() != b.Expiry.IsZero() { // those without a certificate last
			return cmp.Compare(b.Expiry.Unix(), a.Expiry.Unix())
		}
		return a.Expiry.Compare(b.Expiry)
	})
	return x
}

// worstFirst orders what becomes an outage by when it does, before all else that needs
// somebody; and that before domains with which nothing is to be lost.
func worstFirst(a, b *Row) int {
	if by := cmp.Compare(a.rank(), b.rank()); by != 0 {
		return by
	}
	if a.Outlook.InDanger() {
		return a.Domain.Risk().Compare(b.Domain.Risk())
	}
	return cmp.Compare(b.Mark.State.Severity(), a.Mark.State.Severity())
}

// rank is the group of worstFirst.
func (r *Row) rank() int {
	switch {
	case r.Outlook.InDanger():
		return 0
	case Unknown.Worse(r.Mark.State):
		return 3
	case r.Expiry.IsZero():
		return 2
	}
	return 1
}

// order returns what sorts the entries, once, when it is asked for first. Equal ones
// are in the order of their names.
func (x *Index) order(compare func(a, b *Row) int) func() []int {
	return sync.OnceValue(func() []int {
		order := make([]int, len(x.entries))
		for i := range order {
			order[i] = i
		}
		slices.SortFunc(order, func(i, j int) int {
			a, b := &x.entries[i], &x.entries[j]
			return cmp.Or(compare(a, b), cmp.Compare(a.Domain.Name, b.Domain.Name), cmp.Compare(a.Domain.Scope, b.Domain.Scope))
		})
		return order
	})
}

// find returns the domain with that name in that scope; nil for none.
func (x *Index) find(scope, name string) *Row {
	for i := range x.entries {
		if e := &x.entries[i]; e.Domain.Name == name && e.Domain.Scope == scope {
			return e
		}
	}
	return nil
}

// indexes keeps the index of the last snapshot while it may be used. The zero value has none.
type indexes struct {
	mu   sync.Mutex
	last *Index
}

// of returns the index of a snapshot.
func (c *indexes) of(s status.Snapshot, now time.Time) *Index {
	c.mu.Lock()
	defer c.mu.Unlock()
	if x := c.last; x != nil && same(x.Snapshot, s) && now.Sub(x.now) < indexLifetime && !now.Before(x.now) {
		return x
	}
	x := NewIndex(s, now)
	c.last = x
	time.AfterFunc(indexLifetime, func() { c.forget(x) })
	return x
}

// forget drops an index: with it a whole list of domains would be kept, that may be long
// out of date.
func (c *indexes) forget(x *Index) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last == x {
		c.last = nil
	}
}

// same reports whether two snapshots are one: a Collector makes the domains' list
// anew for each.
func same(a, b status.Snapshot) bool {
	return a.At.Equal(b.At) && len(a.Domains) == len(b.Domains) && len(a.Domains) > 0 && &a.Domains[0] == &b.Domains[0]
}

// Tally counts what the domains come to.
func (x *Index) Tally() *status.Tally { return &x.tally }
