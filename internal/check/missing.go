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
func (k *looking) missing(ctx context.Context) Finding {
	var txt, addresses, ns, elsewhere Finding
	var wg sync.WaitGroup
	wg.Go(func() { txt = k.txtInstead(ctx) })
	wg.Go(func() { addresses = k.addressesInstead(ctx) })
	wg.Go(func() { ns = k.delegated(ctx) })
	wg.Go(func() { elsewhere = k.wrongPlace(ctx) })
	wg.Wait()
	for _, r := range []Finding{ns, elsewhere, txt, addresses} {
		if r.Check != "" {
			return r
		}
	}
	return k.result(cnameMissing, Failed, "nothing", fmt.Sprintf("Add %s at the DNS provider of %s.", k.add(), zone.Unicode(k.Domain)))
}

func (k *looking) txtInstead(ctx context.Context) (r Finding) {
	m, err := k.ask(ctx, k.Challenge, dns.TypeTXT)
	if err != nil || len(find[*dns.TXT](m.Answer, k.Challenge)) == 0 {
		return r
	}
	probe := probeLabel + "." + k.Domain
	if m, err := k.ask(ctx, probe, dns.TypeTXT); err == nil && len(find[*dns.TXT](m.Answer, probe)) > 0 {
		return r // a wildcard's, and no hindrance
	}
	return k.result(cnameIsTXT, Failed, "a TXT record", fmt.Sprintf("Delete the TXT record at %s, and add %s.", k.Challenge, k.add()))
}

// addressesInstead is how a proxying provider shows a CNAME: the addresses of
// its proxies. A wildcard would show the same at every name.
func (k *looking) addressesInstead(ctx context.Context) (r Finding) {
	seen := k.addressesAt(ctx, k.Challenge)
	if len(seen) == 0 || sorted(k.addressesAt(ctx, probeLabel+"."+k.Domain)) == sorted(seen) {
		return r
	}
	return k.result(cnameProxied, Failed, "addresses: "+sorted(seen),
		fmt.Sprintf("Switch the provider's proxy off for this record (\"DNS only\"), so that you get %s, and delete address records there.", k.add()))
}

// addressesAt returns the A and AAAA records at name itself.
func (k *looking) addressesAt(ctx context.Context, name string) (out []string) {
	for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
		m, err := k.ask(ctx, name, qtype)
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
func (k *looking) delegated(ctx context.Context) (r Finding) {
	m, err := k.ask(ctx, k.Challenge, dns.TypeNS)
	if err != nil {
		return r
	}
	if ns := names(find[*dns.NS](m.Answer, k.Challenge)); len(ns) > 0 {
		return k.delegatedTo(ns)
	}
	return r
}

func (l lookingFor) delegatedTo(ns []string) Finding {
	return l.result(challengeDelegated, Failed, "NS "+sorted(ns),
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
func (k *looking) wrongPlace(ctx context.Context) (r Finding) {
	top := zone.Registered(k.Domain)
	for _, doubled := range []string{k.Challenge + "." + top, k.Challenge + "." + k.Domain} {
		if k.pointsAt(ctx, doubled, k.Name) {
			return k.result(cnameNameDoubled, Failed, "the CNAME, but at "+doubled,
				fmt.Sprintf("Type only %q as the record's name, because the DNS provider appends the domain itself, so that you get %s.",
					strings.TrimSuffix(k.Challenge, "."+strings.TrimPrefix(doubled, k.Challenge+".")), k.add()))
		}
		if top == k.Domain {
			break
		}
	}
	for parent := k.Domain; parent != top; {
		_, parent, _ = strings.Cut(parent, ".")
		if place := zone.ChallengeName(parent); k.pointsAt(ctx, place, k.Name) {
			return k.result(cnameMisplaced, Failed, "the CNAME, but at "+place,
				fmt.Sprintf("Rename the record at %s, so that you get %s.", place, k.add()))
		}
	}
	return r
}

// atProbe reports whether a name that nobody has below the domain has a CNAME to
// target: then it is a wildcard's.
func (k *looking) atProbe(ctx context.Context, target string) bool {
	return k.pointsAt(ctx, probeLabel+"."+k.Domain, target)
}

func (k *looking) pointsAt(ctx context.Context, name, target string) bool {
	if _, ok := dns.IsDomainName(name); !ok || len(name) > 253 {
		return false
	}
	m, err := k.ask(ctx, name, dns.TypeCNAME)
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
