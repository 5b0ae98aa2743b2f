package check

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/signpost-acme/signpost/internal/zone"
)

// maxChain is how many CNAMEs in a row resolvers follow; some give up after
// fewer, none is asked to follow more.
const maxChain = 8

// lookingFor is the CNAME that one domain should have: at Challenge, to Name.
type lookingFor struct{ zone.Target }

// result returns a Finding about the CNAME.
func (l lookingFor) result(check string, status Status, seen, hint string) Finding {
	return Finding{Check: check, Subject: l.Challenge, Status: status, Wanted: "CNAME " + l.Name, Seen: seen, Hint: hint}
}

// add is the sentence that names the record.
func (l lookingFor) add() string { return fmt.Sprintf("the record %s CNAME %s", l.Challenge, l.Name) }

// CNAME looks, through the resolvers, whether the CNAME at _acme-challenge.<domain>
// leads to the target for Issuers in the namespace scope. It is OK, or Failed with
// the record to add, or Unknown if no resolver answered. The Finding stays the same
// for as long as the DNS does.
func (c *Checker) CNAME(ctx context.Context, scope, domain string) Finding {
	l, bad := c.lookFor(scope, domain)
	if bad != nil {
		return *bad
	}
	ctx, cancel := c.bound(ctx, queriesOfCNAME)
	defer cancel()
	return c.newLooking(l, "udp").run(ctx)
}

// lookFor returns what to look for, or what is wrong with the domain.
func (c *Checker) lookFor(scope, domain string) (lookingFor, *Finding) {
	target, err := c.Zone.Target(scope, domain)
	if err == nil {
		return lookingFor{target}, nil
	}
	r := &Finding{Check: domainInvalid, Subject: domain, Status: Failed, Seen: err.Error(),
		Hint: "Write the name of a domain, such as example.com or *.example.com."}
	switch {
	case errors.Is(err, zone.ErrPublicSuffix):
		r.Check, r.Hint = domainPublicSuffix, "Use a domain of your own below this public suffix."
	case errors.Is(err, zone.ErrOwnZone):
		r.Check, r.Hint = domainOwnZone, fmt.Sprintf("Use a domain outside %s, which Signpost itself serves.", c.Zone.Origin())
	}
	return lookingFor{}, r
}

// unknown is for a chain at whose end nobody answers.
func (k *looking) unknown(chain []string, lost bool, tries []string) Finding {
	slices.Sort(tries)
	seen, at := strings.Join(slices.Compact(tries), "; "), chain[len(chain)-1]
	switch {
	case len(chain) > 1:
		return k.result(cnameUnknown, Unknown, "CNAME "+strings.Join(chain[1:], " → ")+", where "+seen,
			fmt.Sprintf("Replace the CNAME by %s, or make the DNS servers of %s answer if that leads to it.", k.add(), at))
	case lost:
		over := ""
		if k.network == "tcp" {
			over = " over TCP too"
		}
		return k.result(cnameUnknown, Unknown, seen,
			fmt.Sprintf("Make the resolver answer for this name%s, or choose another resolver with --resolver address:port.", over))
	}
	return k.result(cnameUnknown, Unknown, seen,
		fmt.Sprintf("Find out why the DNS servers of %s do not answer over TCP from here, and see that they have %s.", zone.Unicode(k.Domain), k.add()))
}

// tooLong is for a chain that no resolver follows to its end.
func (k *looking) tooLong(chain []string) Finding {
	return k.result(cnameLoop, Failed, fmt.Sprintf("more than %d CNAMEs in a row, of which %s is the first", maxChain, chain[1]),
		fmt.Sprintf("Shorten the chain of CNAMEs, best to %s.", k.add()))
}

// two is for CNAMEs that contradict each other: resolvers take either.
func (k *looking) two(at string, to []string) Finding {
	return k.result(cnameTwo, Failed, fmt.Sprintf("%d CNAMEs at %s: %s", len(to), at, sorted(to)),
		fmt.Sprintf("Delete all CNAMEs at %s but one, so that nothing but %s is there.", at, k.add()))
}

// otherTarget is for a CNAME into our zone, but not to the right name there.
func (c *Checker) otherTarget(l lookingFor, seen string) Finding {
	whose := "another namespace or domain"
	if !c.Zone.IsTarget(seen) {
		whose = "no namespace at all"
	}
	if c.Namespaces != nil {
		for _, scope := range c.Namespaces() {
			if target, err := c.Zone.Target(scope, l.Domain); err == nil && target.Name == seen {
				whose = "namespace " + scope
			}
		}
	}
	return l.result(cnameOtherScope, Failed, fmt.Sprintf("CNAME %s, the target of %s", seen, whose),
		fmt.Sprintf("Change the CNAME, which now is for %s, to %s if Issuers in namespace %s may get certificates for %s.",
			whose, l.add(), l.Scope, zone.Unicode(l.Domain)))
}

// endOfChain is for a chain that ends outside our zone, perhaps at once.
func (k *looking) endOfChain(ctx context.Context, chain []string, said []told) Finding {
	if len(chain) == 1 {
		return k.missing(ctx, said)
	}
	seen := seenCNAME + strings.Join(chain[1:], " → ")
	last := chain[len(chain)-1]
	if strings.HasPrefix(last, k.Name+".") {
		return k.result(cnameValueDoubled, Failed, seen,
			fmt.Sprintf("Write a dot at the end of the record's value, behind which the DNS provider has put your domain once more, so that you get %s.", k.add()))
	}
	if k.atProbe(ctx, chain[1]) {
		return k.result(cnameWildcard, Failed, seen+", from the wildcard *."+k.Domain,
			fmt.Sprintf("Add %s, which goes before the wildcard record *.%s.", k.add(), k.Domain))
	}
	return k.result(cnameElsewhere, Failed, seen, fmt.Sprintf("Replace the CNAME by %s.", k.add()))
}

func (k *looking) txtBeside(at string) Finding {
	return k.result(txtBeside, Failed, "a TXT record beside the CNAME at "+at,
		fmt.Sprintf("Delete the TXT record at %s, so that nothing but %s is there.", at, k.add()))
}
