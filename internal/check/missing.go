package check

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/internal/zone"
)

// probeLabel is a name that nobody has: what is there comes from a wildcard. It
// is always the same, so that resolvers remember it and results do not change.
const probeLabel = "signpost-wildcard-probe"

// missing finds out what is there instead of a CNAME. Whatever cannot be found
// out leaves it at "missing".
func (c *Checker) missing(ctx context.Context, l lookingFor) Finding {
	var txt, addresses, ns, elsewhere Finding
	var wg sync.WaitGroup
	wg.Go(func() { txt = c.txtInstead(ctx, l) })
	wg.Go(func() { addresses = c.addressesInstead(ctx, l) })
	wg.Go(func() { ns = c.delegated(ctx, l) })
	wg.Go(func() { elsewhere = c.wrongPlace(ctx, l) })
	wg.Wait()
	for _, r := range []Finding{ns, elsewhere, txt, addresses} {
		if r.Check != "" {
			return r
		}
	}
	return l.result(cnameMissing, Failed, "nothing", fmt.Sprintf("Add %s at the DNS provider of %s.", l.add(), zone.Unicode(l.Domain)))
}

func (c *Checker) txtInstead(ctx context.Context, l lookingFor) (r Finding) {
	m, err := c.ask(ctx, l.Challenge, dns.TypeTXT)
	if err != nil || len(find[*dns.TXT](m.Answer, l.Challenge)) == 0 {
		return r
	}
	probe := probeLabel + "." + l.Domain
	if m, err := c.ask(ctx, probe, dns.TypeTXT); err == nil && len(find[*dns.TXT](m.Answer, probe)) > 0 {
		return r // a wildcard's, and no hindrance
	}
	return l.result(cnameIsTXT, Failed, "a TXT record", fmt.Sprintf("Delete the TXT record at %s, and add %s.", l.Challenge, l.add()))
}

// addressesInstead is how a proxying provider shows a CNAME: the addresses of
// its proxies. A wildcard would show the same at every name.
func (c *Checker) addressesInstead(ctx context.Context, l lookingFor) (r Finding) {
	seen := c.addressesAt(ctx, l.Challenge)
	if len(seen) == 0 || sorted(c.addressesAt(ctx, probeLabel+"."+l.Domain)) == sorted(seen) {
		return r
	}
	return l.result(cnameProxied, Failed, "addresses: "+sorted(seen),
		fmt.Sprintf("Switch the provider's proxy off for this record (\"DNS only\"), so that you get %s, and delete address records there.", l.add()))
}

// addressesAt returns the A and AAAA records at name itself.
func (c *Checker) addressesAt(ctx context.Context, name string) (out []string) {
	for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
		m, err := c.ask(ctx, name, qtype)
		if err != nil {
			continue
		}
		for _, a := range find[*dns.A](m.Answer, name) {
			out = append(out, a.A.String())
		}
		for _, a := range find[*dns.AAAA](m.Answer, name) {
			out = append(out, a.AAAA.String())
		}
	}
	return out
}

// delegated is for a zone of its own at the name where the CNAME should be.
func (c *Checker) delegated(ctx context.Context, l lookingFor) (r Finding) {
	m, err := c.ask(ctx, l.Challenge, dns.TypeNS)
	if err != nil {
		return r
	}
	return l.cut(find[*dns.NS](m.Answer, l.Challenge))
}

func (l lookingFor) cut(ns []*dns.NS) (r Finding) {
	if len(ns) == 0 {
		return r
	}
	return l.result(challengeDelegated, Failed, "NS "+nameList(ns),
		fmt.Sprintf("Delete the NS records at %s, which send everybody to a zone of its own there, and add %s.", l.Challenge, l.add()))
}

func nameList(ns []*dns.NS) string { return sorted(names(ns)) }

func names(ns []*dns.NS) (out []string) {
	for _, rr := range ns {
		out = append(out, plain(rr.Ns))
	}
	return out
}

// wrongPlace looks where the record ends up if a DNS provider appends the domain
// to the whole name, or if only "_acme-challenge" was typed for a sub-domain.
func (c *Checker) wrongPlace(ctx context.Context, l lookingFor) (r Finding) {
	top := zone.Registered(l.Domain)
	for _, doubled := range []string{l.Challenge + "." + top, l.Challenge + "." + l.Domain} {
		if c.pointsAt(ctx, doubled, l.Name) {
			return l.result(cnameNameDoubled, Failed, "the CNAME, but at "+doubled,
				fmt.Sprintf("Type only %q as the record's name, because the DNS provider appends the domain itself, so that you get %s.",
					strings.TrimSuffix(l.Challenge, "."+strings.TrimPrefix(doubled, l.Challenge+".")), l.add()))
		}
		if top == l.Domain {
			break
		}
	}
	for parent := l.Domain; parent != top; {
		_, parent, _ = strings.Cut(parent, ".")
		if place := zone.ChallengeName(parent); c.pointsAt(ctx, place, l.Name) {
			return l.result(cnameMisplaced, Failed, "the CNAME, but at "+place,
				fmt.Sprintf("Rename the record at %s, so that you get %s.", place, l.add()))
		}
	}
	return r
}

// atProbe reports whether a name that nobody has below domain has a CNAME to
// target: then it is a wildcard's.
func (c *Checker) atProbe(ctx context.Context, domain, target string) bool {
	return c.pointsAt(ctx, probeLabel+"."+domain, target)
}

func (c *Checker) pointsAt(ctx context.Context, name, target string) bool {
	if _, ok := dns.IsDomainName(name); !ok || len(name) > 253 {
		return false
	}
	m, err := c.ask(ctx, name, dns.TypeCNAME)
	if err != nil {
		return false
	}
	for _, rr := range find[*dns.CNAME](m.Answer, plain(name)) {
		if plain(rr.Target) == target {
			return true
		}
	}
	return false
}
