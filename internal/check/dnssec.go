package check

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/miekg/dns"
)

// bogus says whether a validating resolver takes a name of the chain for forged, as
// the CA's will.
func (k *looking) bogus(ctx context.Context) (Finding, bool) {
	list := slices.Sorted(maps.Keys(k.places))
	found := make([]string, len(list))
	var wg sync.WaitGroup
	for i, name := range list {
		wg.Go(func() { found[i] = k.bogusAt(ctx, name) })
	}
	wg.Wait()
	for i, name := range list {
		if found[i] != "" {
			return k.result(dnssecBogus, Failed, fmt.Sprintf("resolver %s answered SERVFAIL for %s CNAME, but not with DNSSEC validation off", found[i], name),
				fmt.Sprintf("Repair the DNSSEC of the zone with %s (the DS record at its registrar does not go with its keys), or remove the DS record, so that %s counts.", name, k.add())), true
		}
	}
	return Finding{}, false
}

// bogusAt returns the resolver that takes name for forged, "" if there is none. One
// resolver that has validated outweighs the others; one that does not validate, or
// does not answer, cannot tell.
func (k *looking) bogusAt(ctx context.Context, name string) string {
	resolvers := k.c.resolvers()
	bogus, secure := make([]bool, len(resolvers)), make([]bool, len(resolvers))
	var wg sync.WaitGroup
	for i, resolver := range resolvers {
		wg.Go(func() { bogus[i], secure[i] = k.validated(ctx, resolver, name) })
	}
	wg.Wait()
	if i := slices.Index(bogus, true); i >= 0 && !slices.Contains(secure, true) {
		return resolvers[i]
	}
	return ""
}

// validated asks one resolver with validation and without. It is asked with it
// twice: a SERVFAIL may also be a server that was slow just then.
func (k *looking) validated(ctx context.Context, resolver, name string) (bogus, secure bool) {
	for _, checkingDisabled := range []bool{false, true, false} {
		q := newQuery(name, dns.TypeCNAME)
		q.CheckingDisabled = checkingDisabled
		q.AuthenticatedData = true // say whether you have validated (RFC 6840 section 5.7)
		m, err := k.c.ask1(ctx, k.network, resolver, q)
		if err != nil || checkingDisabled && !tells(m) || !checkingDisabled && m.Rcode != dns.RcodeServerFailure {
			return false, err == nil && !checkingDisabled && tells(m) && m.AuthenticatedData
		}
	}
	return true, false
}
