package check

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/internal/zone"
)

// probeLabel is a name that nobody has: what is there comes from a wildcard. It
// is always the same, so that resolvers cache it and results do not change.
const probeLabel = "signpost-wildcard-probe"

// What is there instead of a CNAME is cached for insteadTTL, while the answers at the
// name itself stay the same: a domain that waits is looked at every few seconds, and
// finding out takes some twenty queries.
const (
	insteadTTL = 30 * time.Second
	maxInstead = 10000 // then all is forgotten

	questionsAtOnce = 4 // to a server, for one domain
)

// instead remembers what missing has found.
type instead struct {
	mu    sync.Mutex
	found map[string]remembered
}

type remembered struct {
	Finding
	at time.Time
}

// missing finds out what is there instead of a CNAME. Where it cannot, the result is
// "missing".
func (k *looking) missing(ctx context.Context, said []told) Finding {
	known := &k.c.instead
	key := fmt.Sprint(k.own, k.Challenge, k.Name, said)
	known.mu.Lock()
	r, ok := known.found[key]
	known.mu.Unlock()
	if ok && time.Since(r.at) < k.insteadAge {
		return r.Finding
	}
	now := time.Now()
	r = remembered{k.findInstead(ctx, said), now}
	if ctx.Err() != nil { // perhaps not all was found out
		return r.Finding
	}
	known.mu.Lock()
	defer known.mu.Unlock()
	if known.found == nil || len(known.found) >= maxInstead {
		known.found = map[string]remembered{}
	}
	known.found[key] = r
	return r.Finding
}

func (k *looking) findInstead(ctx context.Context, said []told) Finding {
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
	if slices.ContainsFunc(said, func(t told) bool { return t.exists }) {
		return k.result(cnameMissing, Failed, "the name, but no CNAME at it",
			fmt.Sprintf("Add %s at the DNS provider of %s, of type CNAME and no other: ALIAS, ANAME or a flattened CNAME show nothing of it.", k.add(), zone.Unicode(k.Domain)))
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
	return k.result(cnameProxied, Failed, seenAddresses+sorted(seen),
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
	return l.result(challengeDelegated, Failed, seenNS+sorted(ns),
		fmt.Sprintf("Delete the NS records at %s, which send everybody to a zone of its own there, and add %s.", l.Challenge, l.add()))
}

func nameList(ns []*dns.NS) string { return sorted(names(ns)) }

func names(ns []*dns.NS) (out []string) {
	for _, rr := range ns {
		out = append(out, plain(rr.Ns))
	}
	return out
}

// nearMisses are what people and providers make of "_acme-challenge".
var nearMisses = []string{"_acme_challenge", "acme-challenge", "acme_challenge", "_acmechallenge", "__acme-challenge", "-acme-challenge",
	"_acme-challenges", "_acme-challange", "_acme-chalenge"}

// wrongPlace is a name where the record may have ended up.
type wrongPlace struct{ name, check, hint string }

// wrongPlaces are the likely ones, the likeliest first: the DNS provider appends
// the domain to the whole name; only "_acme-challenge" was typed for a sub-domain;
// the label is misspelt; it was added for www, or at the domain itself.
func (k *looking) wrongPlaces() (out []wrongPlace) {
	top := zone.Registered(k.Domain)
	for _, appended := range slices.Compact([]string{top, k.Domain}) {
		out = append(out, wrongPlace{k.Challenge + "." + appended, cnameNameDoubled,
			fmt.Sprintf("Type only %q as the record's name, because the DNS provider appends the domain itself, so that you get %s.",
				strings.TrimSuffix(k.Challenge, "."+appended), k.add())})
	}
	rename := func(at, check string) {
		out = append(out, wrongPlace{at, check, fmt.Sprintf("Rename the record at %s, so that you get %s.", at, k.add())})
	}
	for parent := k.Domain; parent != top; {
		_, parent, _ = strings.Cut(parent, ".")
		rename(zone.ChallengeName(parent), cnameMisplaced)
	}
	for _, label := range nearMisses {
		rename(label+"."+k.Domain, cnameMisspelt)
	}
	rename(zone.ChallengeName("www."+k.Domain), cnameMisplaced)
	rename("*."+k.Challenge, cnameMisplaced)
	rename(k.Domain, cnameMisplaced)
	return out
}

// wrongPlace looks where the record may have ended up.
func (k *looking) wrongPlace(ctx context.Context) Finding {
	places := k.wrongPlaces()
	found := make([]bool, len(places))
	var wg sync.WaitGroup
	limit := make(chan struct{}, questionsAtOnce)
	for i, p := range places {
		wg.Go(func() {
			limit <- struct{}{}
			defer func() { <-limit }()
			found[i] = k.pointsAt(ctx, p.name, k.Name)
		})
	}
	wg.Wait()
	if i := slices.Index(found, true); i >= 0 {
		return k.result(places[i].check, Failed, seenAt+places[i].name, places[i].hint)
	}
	return Finding{}
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
