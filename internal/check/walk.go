package check

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/internal/zone"
)

// How the own servers of a name are found.
//
// A resolver may have cached for days where a zone was served before it moved, and
// for an hour that a name does not exist. So it is asked for nothing but the servers
// of the registry above the domain (com, co.uk), which stay for years, and for the
// addresses of nameservers that come without glue. From the registry the walk goes
// down the referrals, as the resolver of a CA with nothing in its memory does: the NS
// records at the parent decide where a zone is. Some resolvers then go by the NS
// records that the zone has itself (RFC 2181 section 5.4.1), so its servers are asked
// for those too, and servers that only they name are asked as well. All over TCP, to the
// resolver too: a neighbour who can forge UDP cannot forge the look.

const (
	maxLevels   = 8  // referrals on the way to a name
	maxCuts     = 16 // names at which a zone may begin
	firstAtOnce = 3  // servers of a registry, of which one has to answer
)

// set is the servers of one zone.
type set struct {
	apex    string
	servers []server
}

// walk is see for the own servers of a name.
func (k *looking) walk(ctx context.Context, p *place) {
	at, err := k.registry(ctx, p.base)
	if err == nil && !above(at.apex, p.base) {
		k.visit(ctx, p, at)
		return
	}
	for range maxLevels {
		if err != nil {
			break
		}
		var m *dns.Msg
		var from server
		if m, from, err = k.first(ctx, at, p.name); err != nil {
			break
		}
		next := referralTo(m, at.apex, p.name)
		if next == "" { // the registry's server has the name itself
			if at.apex == "" && m.Rcode == dns.RcodeNameError {
				if own, ok := k.private(ctx, at, p.base); ok {
					k.visit(ctx, p, own)
					return
				}
			}
			if len(m.Answer) == 0 && !zone.IsPrivateSuffix(at.apex) { // one of the registry's is enough to say no
				at.servers = []server{from}
			}
			k.visit(ctx, p, at)
			return
		}
		list, glue := names(find[*dns.NS](m.Ns, next)), glueOf(m, at.apex)
		if !above(next, p.base) {
			k.refer(ctx, p, next, list, glue)
			return
		}
		at.apex = next
		at.servers, err = serversNamed(ctx, k.askResolver, next, list, glue)
	}
	if err == nil {
		err = fmt.Errorf("more than %d referrals on the way to %s", maxLevels, p.name)
	}
	k.fail(p, err)
}

// above reports whether the zone at apex is a registry's, above the domain base.
func above(apex, base string) bool {
	return apex != base && dns.IsSubDomain(dns.Fqdn(apex), dns.Fqdn(base))
}

// first returns the first useful answer of a zone's servers about a name: a referral
// to a zone below, or an authoritative one.
func (k *looking) first(ctx context.Context, at set, name string) (*dns.Msg, server, error) {
	type reply struct {
		m    *dns.Msg
		from server
		err  error
	}
	var tries []string
	for some := range slices.Chunk(at.servers, firstAtOnce) {
		replies := make(chan reply, len(some))
		for _, s := range some {
			go func() {
				m, err := k.askTCP(ctx, s, name, dns.TypeCNAME)
				replies <- reply{m, s, err}
			}()
		}
		for range some {
			r := <-replies
			if r.err == nil && (r.m.Authoritative || referralTo(r.m, at.apex, name) != "") {
				return r.m, r.from, nil
			}
			if r.err == nil {
				r.err = errLame
			}
			tries = append(tries, r.from.String()+" "+r.err.Error())
		}
	}
	slices.Sort(tries)
	return nil, server{}, errors.New(strings.Join(tries, "; "))
}

var errLame = errors.New("did not answer authoritatively")

// askTCP asks one of a zone's servers, once.
func (k *looking) askTCP(ctx context.Context, s server, name string, qtype uint16) (*dns.Msg, error) {
	q := newQuery(name, qtype)
	q.RecursionDesired = false
	ctx, cancel := context.WithTimeout(ctx, k.c.timeout()*5/4) // a connection takes a round trip more
	defer cancel()
	m, err := k.c.onceWithin(ctx, "tcp", k.c.at(s.addr), q, k.c.timeout()*5/4)
	if err == nil && !tells(m) {
		err = errors.New("answered " + rcode(m))
	}
	return m, err
}

// visit asks all servers of a zone that name is in, but those that were asked.
func (k *looking) visit(ctx context.Context, p *place, at set) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range at.servers {
		if p.asked[s.addr.String()] {
			continue
		}
		p.asked[s.addr.String()] = true
		k.wg.Go(func() { k.askServer(ctx, p, at.apex, s) })
	}
}

// askServer asks one server for what a CA asks, TXT, and then for what that may hide
// and who else serves the zone. It is never more than two connections at a time: some
// servers have few.
func (k *looking) askServer(ctx context.Context, p *place, apex string, s server) {
	t := told{who: s.String(), addr: s.addr}
	txt, err := k.askTCP(ctx, s, p.name, dns.TypeTXT)
	switch {
	case err != nil:
		t.lame = err.Error()
	case !txt.Authoritative:
		if next := referralTo(txt, apex, p.name); next != "" {
			k.answered(apex, s)
			k.refer(ctx, p, next, names(find[*dns.NS](txt.Ns, next)), glueOf(txt, apex))
			return
		}
		t.lame = errLame.Error()
	}
	if t.lame != "" {
		k.tell(ctx, p, t)
		return
	}
	k.answered(apex, s)
	t.exists = txt.Rcode == dns.RcodeSuccess
	t.txt = len(find[*dns.TXT](txt.Answer, p.name)) > 0
	t.cnames = targets(txt, p.name)
	for _, next := range t.cnames { // not only when all is known
		k.follow(ctx, next, p.depth+1)
	}
	var wg sync.WaitGroup
	if t.txt || len(t.cnames) > 0 {
		wg.Go(func() {
			if m, err := k.askTCP(ctx, s, p.name, dns.TypeCNAME); err == nil && m.Authoritative {
				t.cnames = append(t.cnames, targets(m, p.name)...)
				slices.Sort(t.cnames)
				t.cnames = slices.Compact(t.cnames)
			}
		})
	}
	k.askForCut(ctx, p, s, cutsBetween(txt, p.name, apex, p.base))
	wg.Wait()
	k.tell(ctx, p, t)
}

// askForCut asks a server for the NS records of the deepest zone that a name is in,
// which may begin at any of cuts, the deepest first.
func (k *looking) askForCut(ctx context.Context, p *place, s server, cuts []string) {
	for len(cuts) > 0 {
		at := cuts[0]
		cuts = cuts[1:]
		m, err := k.askTCP(ctx, s, at, dns.TypeNS)
		if err != nil || !m.Authoritative {
			continue
		}
		if ns := names(find[*dns.NS](m.Answer, at)); len(ns) > 0 {
			k.refer(ctx, p, at, ns, glueOf(m, at))
			return
		}
		if apex, ok := apexOf(m, at); ok { // it says itself which of the others it is
			cuts = slices.DeleteFunc(cuts, func(name string) bool { return name != apex })
		}
	}
}

// refer goes on to the servers that NS records at apex name.
func (k *looking) refer(ctx context.Context, p *place, apex string, list []string, glue map[string][]netip.Addr) {
	if apex == p.name && p.depth == 1 { // a zone cut hides the CNAME
		k.mu.Lock()
		p.cut = append(p.cut, list...)
		k.mu.Unlock()
		return
	}
	k.mu.Lock()
	if p.depth == 1 {
		k.served[apex] = append(k.served[apex], list...)
	}
	list = slices.DeleteFunc(list, func(name string) bool {
		key := apex + "/" + name // no name has a slash and a zone's name in front
		known := p.asked[key]
		p.asked[key] = true
		return known
	})
	k.mu.Unlock()
	if len(list) == 0 {
		return
	}
	servers, err := serversNamed(ctx, k.askResolver, apex, list, glue)
	if err != nil {
		k.fail(p, err)
		return
	}
	k.visit(ctx, p, set{apex, servers})
}
