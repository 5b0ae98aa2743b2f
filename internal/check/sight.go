package check

import (
	"context"
	"slices"
	"strings"
	"time"
)

// watchedTTL is insteadTTL for a domain that somebody is looking at.
const watchedTTL = 4 * time.Second

// Sight is a look for people who are adding the record, and where they have to add it.
type Sight struct {
	Finding
	Apex        string   // of the zone that the record is in; "" if it is not known
	Nameservers []string // that serve it, as the parent and the zone itself name them
}

// See is Look for somebody who waits for the result: what is there instead of the
// record is not remembered for half a minute. It costs up to some thirty queries, so
// the caller has to see to it that few are asked for at a time.
func (c *Checker) See(ctx context.Context, scope, domain string) Sight {
	l, bad := c.lookFor(scope, domain)
	if bad != nil {
		return Sight{Finding: *bad}
	}
	r, k := c.lookWith(ctx, l, watchedTTL)
	apex, nameservers := k.inCharge()
	return Sight{r, apex, nameservers}
}

// What a Finding says before the names and addresses in Seen.
const (
	seenAt        = "the CNAME, but at "
	seenCNAME     = "CNAME "
	seenAddresses = "addresses: "
	seenNotAt     = "not so at "
	seenNS        = "NS "
)

// Detail returns the names or addresses in Seen that a sentence of somebody else's
// needs: where the record is instead, where it leads, what is there, or which servers
// do not have it. It is empty where there is none, and where it would name a
// namespace.
func (f Finding) Detail() string {
	for prefix, checks := range map[string][]string{
		seenAt:        {cnameNameDoubled, cnameMisplaced, cnameMisspelt},
		seenCNAME:     {cnameElsewhere, cnameValueDoubled},
		seenAddresses: {cnameProxied},
		seenNotAt:     {authoritativeDiffer},
		seenNS:        {challengeDelegated},
	} {
		if rest, ok := strings.CutPrefix(f.Seen, prefix); ok && slices.Contains(checks, f.Check) {
			rest, _, _ = strings.Cut(rest, " → ")
			return rest
		}
	}
	return ""
}

// OwnersFindings are the identifiers that the Finding of a look at an owner's record
// can have.
func OwnersFindings() []string {
	return []string{cnameFine, cnameMissing, cnameElsewhere, cnameOtherScope, cnameNameDoubled, cnameValueDoubled, cnameMisplaced,
		cnameMisspelt, cnameIsTXT, cnameProxied, cnameWildcard, cnameTwo, cnameLoop, cnameUnknown,
		challengeDelegated, txtBeside, dnssecBogus, authoritativeDiffer, domainInvalid, domainPublicSuffix, domainOwnZone}
}
