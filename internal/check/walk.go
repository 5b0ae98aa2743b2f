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
// A resolver may remember for days where a zone was served before it moved, and
// for an hour that a name does not exist. So it is asked for nothing but the servers
// of the registry above the domain (com, co.uk), which stay for years, and for the
// addresses of nameservers that come without glue. From the registry the walk goes
// down the referrals, as the resolver of a CA with nothing in its memory does: the NS
// records at the parent decide where a zone is. Some resolvers then go by the NS
// records that the zone has itself (RFC 2181 section 5.4.1), so its servers are asked
// for those too, and whoever only they name is asked as well. All over TCP, to the
// resolver too: a neighbour who can forge UDP cannot forge the look.

const (
	maxLevels   = 8 // referrals on the way to a name
	maxCuts     = 8 // names asked for NS at one server
	firstAtOnce = 3 // servers of a registry, of which one has to answer
)

// set is the servers of one zone.
type set struct {
	apex    string
	servers []server
}

// walk is see for the own servers of a name.
func (k *looking) walk(ctx context.Context, p *place) {
	at, err := k.registry(ctx, p.name)
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
				if own, ok := k.private(ctx, at, p.name); ok {
					k.visit(ctx, p, own)
					return
				}
			}
			k.visit(ctx, p, set{at.apex, []server{from}})
			return
		}
		list, glue := names(find[*dns.NS](m.Ns, next)), glueOf(m, at.apex)
		if !above(next, p.name) {
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

// above reports whether the zone at apex is a registry's, above the domain with name.
func above(apex, name string) bool {
	registered := zone.Registered(name)
	return apex != registered && dns.IsSubDomain(dns.Fqdn(apex), dns.Fqdn(registered))
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
	m, err := k.c.once(ctx, "tcp", k.c.at(s.addr), q)
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

// askServer asks one server for what a CA asks, TXT, and for what that may hide.
func (k *looking) askServer(ctx context.Context, p *place, apex string, s server) {
	var txt, cname *dns.Msg
	var err error
	cuts := cutsBetween(p.name, apex)
	ns := make([]*dns.Msg, len(cuts))
	var wg sync.WaitGroup
	wg.Go(func() { txt, err = k.askTCP(ctx, s, p.name, dns.TypeTXT) })
	wg.Go(func() { cname, _ = k.askTCP(ctx, s, p.name, dns.TypeCNAME) })
	for i, at := range cuts {
		wg.Go(func() { ns[i], _ = k.askTCP(ctx, s, at, dns.TypeNS) })
	}
	wg.Wait()
	t := told{who: s.String()}
	switch {
	case err != nil:
		t.lame = err.Error()
	case !txt.Authoritative:
		if next := referralTo(txt, apex, p.name); next != "" {
			k.refer(ctx, p, next, names(find[*dns.NS](txt.Ns, next)), glueOf(txt, apex))
			k.answered(apex, s)
			return
		}
		t.lame = errLame.Error()
	default:
		k.answered(apex, s)
		t.txt = len(find[*dns.TXT](txt.Answer, p.name)) > 0
		t.cnames = targets(txt, p.name)
		if (t.txt || len(t.cnames) > 0) && cname != nil && cname.Authoritative {
			t.cnames = append(t.cnames, targets(cname, p.name)...)
			slices.Sort(t.cnames)
			t.cnames = slices.Compact(t.cnames)
		}
		for i, m := range ns { // the first is the deepest
			if m == nil || !m.Authoritative || len(find[*dns.NS](m.Answer, cuts[i])) == 0 {
				continue
			}
			k.refer(ctx, p, cuts[i], names(find[*dns.NS](m.Answer, cuts[i])), glueOf(m, cuts[i]))
			break
		}
	}
	k.tell(ctx, p, t)
}

// refer goes on to the servers that NS records at apex name.
func (k *looking) refer(ctx context.Context, p *place, apex string, list []string, glue map[string][]netip.Addr) {
	if apex == p.name && p.depth == 1 { // the CNAME is hidden, whatever the zone there has
		k.mu.Lock()
		p.cut = append(p.cut, list...)
		k.mu.Unlock()
		return
	}
	k.mu.Lock()
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
