package check

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/internal/zone"
)

// Domain is Look and everything else that decides whether a certificate can be
// issued for domain: what resolvers have cached, and whether CAA lets the CA issue to its
// account. A domain that begins with "*." has its wildcard checked. The first Finding
// is that of Look.
func (c *Checker) Domain(ctx context.Context, scope, domain string, ca CA) []Finding {
	l, bad := c.lookFor(scope, domain)
	if bad != nil {
		return []Finding{*bad}
	}
	ctx, cancel := c.bound(ctx, queriesOfOthers)
	defer cancel()
	var caa []Finding
	var wg sync.WaitGroup
	wg.Go(func() { caa = c.caa(ctx, l.Domain, zone.IsWildcard(domain), ca) })
	first, k := c.look(ctx, l)
	out := []Finding{first}
	switch {
	case c.ResolverOnly:
	case first.Status == OK:
		out = append(out, c.remembered(ctx, k)...)
	case first.Status == Unknown:
		out = append(out, c.fromResolver(ctx, l)...)
	}
	wg.Wait()
	return append(out, caa...)
}

// fromResolver is what resolvers say where the domain's own servers cannot be asked, as
// behind a firewall. The verdict stays that of Look.
func (c *Checker) fromResolver(ctx context.Context, l lookingFor) []Finding {
	r := c.newLooking(l, "udp").run(ctx)
	switch r.Status {
	case Unknown:
		return nil
	case OK:
		r.Status = Warning
		r.Hint = fmt.Sprintf("Let TCP port 53 out to the DNS servers of %s, or take the resolver's word for it with --resolver-only, if it is enough that it knows %s.", zone.Unicode(l.Domain), l.add())
	}
	r.Check, r.Seen = cnameResolver, "at the resolver: "+r.Seen
	return []Finding{r}
}

// remembered is for a record that is right, and a resolver that has an older answer in
// its cache. It is asked only then: see look.
func (c *Checker) remembered(ctx context.Context, k *looking) []Finding {
	m, err := c.ask(ctx, k.Challenge, dns.TypeCNAME)
	if err != nil {
		return nil
	}
	seen := targets(m, k.Challenge)
	for _, t := range k.places[k.Challenge].told {
		if t.lame == "" && slices.Equal(t.cnames, seen) {
			return nil
		}
	}
	return []Finding{k.result(cnameCached, Warning, "the right record at the domain's own servers, and an older answer at the resolver",
		fmt.Sprintf("Wait for %s at most: the record is right, and the resolver still remembers what was there before.", about(ttl(m))))}
}

// ttl returns for how long a resolver keeps its answer (RFC 2308 section 5).
func ttl(m *dns.Msg) time.Duration {
	records := slices.Concat(m.Answer, m.Ns)
	if len(records) == 0 {
		return 0
	}
	seconds := records[0].Header().Ttl
	if soa, ok := records[0].(*dns.SOA); ok {
		seconds = min(seconds, soa.Minttl)
	}
	return time.Duration(seconds) * time.Second
}

// about rounds up to one of a few steps, so that the sentence with it does not
// change every second.
func about(d time.Duration) string {
	for _, step := range []struct {
		most time.Duration
		text string
	}{
		{time.Minute, "a minute"}, {5 * time.Minute, "5 minutes"}, {15 * time.Minute, "15 minutes"}, {time.Hour, "an hour"},
		{3 * time.Hour, "3 hours"}, {12 * time.Hour, "12 hours"}, {24 * time.Hour, "a day"},
	} {
		if d <= step.most {
			return step.text
		}
	}
	return "a week"
}
