package check

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/dns"

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
	r, _ := c.cname(ctx, l)
	return r
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

// cname is CNAME, and also returns the resolver's answer at the first name, nil
// if there was none.
func (c *Checker) cname(ctx context.Context, l lookingFor) (Finding, *dns.Msg) {
	chain := []string{l.Challenge}
	var first *dns.Msg
	for {
		at := chain[len(chain)-1]
		m, err := c.ask(ctx, at, dns.TypeCNAME)
		if err != nil {
			return l.unknown(chain, err), first
		}
		if first == nil {
			first = m
		}
		found := find[*dns.CNAME](m.Answer, at)
		if len(found) == 0 {
			return c.endOfChain(ctx, l, chain), first
		}
		next := plain(found[0].Target)
		switch {
		case next == l.Name:
			return l.result(cnameFine, OK, "CNAME "+next, ""), first
		case c.Zone.Contains(next):
			return c.otherTarget(l, next), first
		case slices.Contains(chain, next):
			return l.result(cnameLoop, Failed, "a loop of CNAMEs: "+strings.Join(append(chain, next), " → "),
				fmt.Sprintf("Replace the CNAME, which leads back to itself, by %s.", l.add())), first
		case len(chain) == maxChain:
			return l.result(cnameLoop, Failed, fmt.Sprintf("more than %d CNAMEs in a row, of which %s is the first", maxChain, chain[1]),
				fmt.Sprintf("Shorten the chain of CNAMEs, best to %s.", l.add())), first
		}
		chain = append(chain, next)
	}
}

// unknown is for a chain at whose end nobody answers.
func (l lookingFor) unknown(chain []string, err error) Finding {
	if len(chain) > 1 {
		return l.result(cnameUnknown, Unknown, "CNAME "+strings.Join(chain[1:], " → ")+", where "+err.Error(),
			fmt.Sprintf("Replace the CNAME by %s, or make the DNS servers of %s answer if that leads to it.", l.add(), chain[len(chain)-1]))
	}
	return l.result(cnameUnknown, Unknown, err.Error(),
		"Make the resolver answer for this name, or choose another resolver with --resolver address:port.")
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
func (c *Checker) endOfChain(ctx context.Context, l lookingFor, chain []string) Finding {
	if len(chain) == 1 {
		return c.missing(ctx, l)
	}
	seen := "CNAME " + strings.Join(chain[1:], " → ")
	last := chain[len(chain)-1]
	if strings.HasPrefix(last, l.Name+".") {
		return l.result(cnameValueDoubled, Failed, seen,
			fmt.Sprintf("Write a dot at the end of the record's value, behind which the DNS provider has put your domain once more, so that you get %s.", l.add()))
	}
	if c.atProbe(ctx, l.Domain, chain[1]) {
		return l.result(cnameWildcard, Failed, seen+", from the wildcard *."+l.Domain,
			fmt.Sprintf("Add %s, which goes before the wildcard record *.%s.", l.add(), l.Domain))
	}
	return l.result(cnameElsewhere, Failed, seen, fmt.Sprintf("Replace the CNAME by %s.", l.add()))
}
