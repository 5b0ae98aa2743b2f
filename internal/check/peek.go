package check

import (
	"context"
	"maps"
	"net/netip"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/internal/zone"
)

const (
	// peekLifetime is how long after a look a peek may stand for another, at the least: a
	// record that the one server that is asked gets last, or that a zone gets that has
	// moved, is seen that much later. With many records missing it is longer, so that
	// there are no more than one and a half whole looks a second because of it: each is a
	// dozen connections or more, and many domains have the same few servers.
	peekLifetime = 30 * time.Second
	peekShare    = 600 * time.Millisecond // of it, for each record that is missing
	peekLongest  = 10 * time.Minute

	// maxPeeks bounds what is remembered; beyond, every look is a whole one.
	maxPeeks = 50_000
)

// peeks remembers, by challenge name, a server that had no CNAME there when it was
// last looked, and what it said instead.
type peeks struct {
	mu     sync.Mutex
	known  map[string]peeked
	pruned time.Time
}

type peeked struct {
	server      netip.Addr
	txt, exists bool
	at          time.Time
	silent      bool // it did not answer the last time
}

// remember keeps, after a look that found no record, what the first server said that
// answered authoritatively. A CNAME is not kept: where it leads could change unseen.
func (p *peeks) remember(name string, all []told) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.known, name)
	var first *told
	for i, t := range all {
		if len(t.cnames) > 0 {
			return
		}
		if t.lame == "" && (first == nil || t.addr.Less(first.addr)) {
			first = &all[i]
		}
	}
	if first == nil {
		return
	}
	if p.known == nil || len(p.known) >= maxPeeks {
		p.known = map[string]peeked{}
	}
	now := time.Now()
	if now.Sub(p.pruned) > time.Minute { // those that nobody looks at any more
		p.pruned = now
		maps.DeleteFunc(p.known, func(_ string, known peeked) bool { return now.Sub(known.at) > 2*peekLongest })
	}
	p.known[name] = peeked{server: first.addr, txt: first.txt, exists: first.exists, at: now}
}

func (p *peeks) recall(name string) (peeked, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	known, ok := p.known[name]
	lifetime := min(max(peekLifetime, time.Duration(len(p.known))*peekShare), peekLongest)
	return known, ok && time.Since(known.at) < lifetime
}

// silence records whether the server of a name answered, and reports whether it did
// not twice in a row.
func (p *peeks) silence(name string, silent bool) (twice bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	known, ok := p.known[name]
	twice = silent && known.silent
	if known.silent = silent; ok {
		p.known[name] = known
	}
	return twice
}

// Changed reports whether Look may well find something else than it did the last time,
// for the price of one question over UDP to one of the domain's own servers, instead
// of a dozen over TCP to all. It is for records that are missing, and that are looked
// at every few seconds: it is true whenever it cannot tell, and nothing is let through
// for it. One question without an answer is none of these cases: when a server of many
// domains is started again they must not all be looked at at once. It takes no longer
// than one timeout.
func (c *Checker) Changed(ctx context.Context, t zone.Target) bool {
	known, ok := c.peeks.recall(t.Challenge)
	if !ok || c.ResolverOnly {
		return true
	}
	q := newQuery(t.Challenge, dns.TypeTXT)
	q.RecursionDesired = false
	m, err := c.once(ctx, "udp", c.at(known.server), q)
	silent := err != nil || !m.Authoritative
	if twice := c.peeks.silence(t.Challenge, silent); silent {
		return twice
	}
	return len(targets(m, t.Challenge)) > 0 || len(find[*dns.TXT](m.Answer, t.Challenge)) > 0 != known.txt ||
		(m.Rcode == dns.RcodeSuccess) != known.exists
}
