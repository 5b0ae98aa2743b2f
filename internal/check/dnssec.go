package check

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/miekg/dns"
)

// bogus says whether a name of the chain is bogus to a validating resolver, as it will
// be to the CA's.
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

// bogusAt returns the resolver to which name is bogus, "" if it is to none. One
// resolver that has validated outweighs the others; one that does not validate, or
// does not answer, does not count.
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
