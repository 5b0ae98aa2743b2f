package check

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/internal/zone"
)

// Look says whether the record of the domain's owner is there for Issuers in the
// namespace scope, as a CA sees it: at the domain's own DNS servers, over TCP, with
// no resolver's cache of the challenge name. The gate lets an Order through on its
// result.
//
//   - OK: at least one of the domain's own servers has the record, the chain of
//     CNAMEs leads to the target, and no server that answers authoritatively says
//     otherwise. Servers that are silent, or answer but not authoritatively, count
//     for nothing.
//   - Failed: a server says otherwise, or what is there is certain to fail at a CA.
//   - Unknown: no usable answer.
//
// With ResolverOnly it asks the resolvers instead, and is as stale as their caches.
// It takes ten seconds at most, may be called from many goroutines, and returns the
// same Finding as long as the DNS does not change.
func (c *Checker) Look(ctx context.Context, scope, domain string) Finding {
	l, bad := c.lookFor(scope, domain)
	if bad != nil {
		return *bad
	}
	r, _ := c.look(ctx, l)
	return r
}

func (c *Checker) look(ctx context.Context, l lookingFor) (Finding, *looking) {
	return c.lookWith(ctx, l, insteadTTL)
}

// lookWith is look. What was there instead of the record may be as old as insteadAge.
func (c *Checker) lookWith(ctx context.Context, l lookingFor, insteadAge time.Duration) (Finding, *looking) {
	ctx, cancel := c.bound(ctx, queriesOfCNAME)
	defer cancel()
	k := c.newLooking(l, "tcp")
	k.insteadAge = insteadAge
	if !c.ResolverOnly {
		k.own, k.ask, k.see = true, k.askOwn, k.walk
	}
	r := k.run(ctx)
	if r.Status == OK || r.Status == Unknown && k.servfail {
		// Only now: before the record is there, asking for it would put NODATA or
		// NXDOMAIN into the resolver's cache (RFC 2308), for cert-manager too.
		if bogus, ok := k.bogus(ctx); ok {
			r = bogus
		}
	}
	return r, k
}

// looking is one look for one record. From the challenge name on, each name of the
// chain becomes a place, at which see asks all its servers in parallel; only
// then is it judged, so that the verdict does not depend on who answers first.
type looking struct {
	lookingFor
	c          *Checker
	network    string
	own        bool                          // the domain's own servers are asked
	ask        asker                         // for what is there instead of the record
	see        func(context.Context, *place) // fills a place
	wg         sync.WaitGroup                // of everything that fills places
	insteadAge time.Duration                 // how old what is there instead may be
	mu         sync.Mutex                    // of everything below
	resolvers  []string                      // the one that answered last is the first
	places     map[string]*place             // by name
	zones      map[string][]server           // those that answered, by the zone that they were asked for
	served     map[string][]string           // the nameservers of the zones that the challenge name is in, by apex
	servfail   bool                          // a resolver said SERVFAIL, which may be DNSSEC
}

// place is a name of the chain, and what is said about it.
type place struct {
	name  string
	base  string // the domain that was registered, in which it is
	depth int    // 1 is the challenge name
	told  []told
	cut   []string        // the nameservers of a zone that begins at this very name
	asked map[string]bool // addresses, and nameservers as zone/name
	tries []string        // why nobody could be asked
	lost  bool            // it was a resolver that did not answer
}

// told is what one server says about a place.
type told struct {
	who    string
	addr   netip.Addr
	lame   string   // why it counts for nothing; "" if it answers authoritatively
	cnames []string // where CNAMEs lead; mostly one
	txt    bool     // there is a TXT record
	exists bool     // the name does, perhaps with nothing that was asked for
}

func (c *Checker) newLooking(l lookingFor, network string) *looking {
	k := &looking{lookingFor: l, c: c, network: network, resolvers: c.resolvers(), insteadAge: insteadTTL,
		places: map[string]*place{}, zones: map[string][]server{}, served: map[string][]string{}}
	k.ask, k.see = k.askResolver, k.seeByResolver
	return k
}

func (k *looking) run(ctx context.Context) Finding {
	crawl, cancel := k.c.bound(ctx, queriesOfCNAME-1) // leaves time to say what is wrong
	defer cancel()
	k.follow(crawl, k.Challenge, 1)
	k.wg.Wait()
	if p := k.places[k.Challenge]; p != nil {
		k.c.peeks.remember(p.name, p.told)
	}
	r := k.inTheirWords(k.judge(ctx, []string{k.Challenge}))
	if r.Status == OK && crawl.Err() != nil {
		return k.result(cnameUnknown, Unknown, "DNS servers too slow to ask all of them",
			fmt.Sprintf("Find out why the DNS servers between %s and its target are slow, or shorten the way to %s.", k.Challenge, k.add()))
	}
	return r
}

// follow makes name a place, unless it is one or leads nowhere that we would ask.
func (k *looking) follow(ctx context.Context, name string, depth int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.places[name] != nil || depth > maxChain || len(k.places) >= 2*maxChain || k.c.Zone.Contains(name) {
		return
	}
	p := &place{name: name, depth: depth, base: zone.Registered(name), asked: map[string]bool{}}
	if depth == 1 { // the domain can be a private suffix
		p.base = zone.Registered(k.Domain)
	}
	k.places[name] = p
	k.wg.Go(func() { k.see(ctx, p) })
}

// tell records what a server says about a place.
func (k *looking) tell(ctx context.Context, p *place, t told) {
	k.mu.Lock()
	p.told = append(p.told, t)
	k.mu.Unlock()
	for _, next := range t.cnames {
		k.follow(ctx, next, p.depth+1)
	}
}

// fail records why nobody could be asked about a place.
func (k *looking) fail(p *place, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if s := (*silence)(nil); errors.As(err, &s) {
		p.lost, k.servfail = true, k.servfail || s.servfail
	}
	p.tries = append(p.tries, err.Error())
}

// askResolver asks the resolvers, first the one that has answered before, so that
// a dead one costs one timeout in all.
func (k *looking) askResolver(ctx context.Context, name string, qtype uint16) (*dns.Msg, error) {
	k.mu.Lock()
	order := k.resolvers
	k.mu.Unlock()
	m, from, err := k.c.resolve(ctx, k.network, order, name, qtype)
	if err == nil && from != order[0] {
		k.mu.Lock()
		k.resolvers = append([]string{from}, slices.DeleteFunc(slices.Clone(order), func(r string) bool { return r == from })...)
		k.mu.Unlock()
	}
	return m, err
}

// seeByResolver is see for those who ask resolvers alone.
func (k *looking) seeByResolver(ctx context.Context, p *place) {
	var t told
	var wg sync.WaitGroup
	if k.c.ResolverOnly { // nobody else will see it
		wg.Go(func() {
			for _, r := range k.c.resolvers() { // once: our own servers may be down, which is another matter
				if m, err := k.c.once(ctx, k.network, r, newQuery(p.name, dns.TypeTXT)); err == nil && tells(m) {
					t.txt = len(find[*dns.TXT](m.Answer, p.name)) > 0
					return
				}
			}
		})
	}
	m, err := k.ask(ctx, p.name, dns.TypeCNAME)
	wg.Wait()
	if err != nil {
		k.fail(p, err)
		return
	}
	t.cnames, t.exists = targets(m, p.name), m.Rcode == dns.RcodeSuccess
	k.tell(ctx, p, t)
}

// targets returns where the CNAMEs at name lead, in an order that does not change.
func targets(m *dns.Msg, name string) (out []string) {
	for _, rr := range find[*dns.CNAME](m.Answer, name) {
		out = append(out, plain(rr.Target))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// askOwn asks a server that has answered for another name of its zone.
func (k *looking) askOwn(ctx context.Context, name string, qtype uint16) (*dns.Msg, error) {
	k.mu.Lock()
	best, servers := "", []server(nil)
	for apex, some := range k.zones {
		if dns.IsSubDomain(dns.Fqdn(apex), dns.Fqdn(name)) && (servers == nil || len(apex) > len(best)) {
			best, servers = apex, some
		}
	}
	servers = slices.Clone(servers)
	k.mu.Unlock()
	slices.SortFunc(servers, func(a, b server) int { return strings.Compare(a.String(), b.String()) })
	err := errors.New("is in no zone whose servers answer")
	for _, s := range slices.Compact(servers) {
		var m *dns.Msg
		if m, err = k.askTCP(ctx, s, name, qtype); err == nil {
			return m, nil
		}
	}
	return nil, err
}

// answered remembers a server of the zone at apex for askOwn.
func (k *looking) answered(apex string, s server) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.zones[apex] = append(k.zones[apex], s)
}
