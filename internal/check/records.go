package check

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/signpost-acme/signpost/internal/zone"
)

// Errors of DomainRecord, beside those that say what is wrong with a name.
var (
	// ErrPublicSuffix says that a domain belongs to no one owner.
	ErrPublicSuffix = errors.New("is a public suffix, below which anybody can register; use a domain of your own below it")
	// ErrOwnZone says that a domain is inside the zone that we serve.
	ErrOwnZone = errors.New("is inside the zone that Signpost itself serves, and cannot have a CNAME there; use a domain outside it")
)

// Records returns what has to be added for the zone's delegation, at the DNS
// provider of the zone above it. The address of a nameserver is there only if
// it is known.
func (c *Checker) Records() []Record {
	var out []Record
	origin := c.Zone.Origin()
	for _, ns := range c.Nameservers {
		out = append(out, Record{Name: origin, Type: "NS", Value: ns.Name,
			Why: fmt.Sprintf("sends everybody who asks for names in %s to Signpost's DNS server", origin)})
	}
	for _, ns := range c.Nameservers {
		for _, a := range ns.Addresses {
			r := Record{Name: ns.Name, Type: "A", Value: a.String(), Why: "the address of Signpost's DNS server"}
			if a.Is6() {
				r.Type = "AAAA"
			}
			if c.Zone.Contains(ns.Name) {
				r.Why = "the address of Signpost's DNS server, added beside the NS record as glue"
			}
			out = append(out, r)
		}
	}
	return out
}

// DomainRecord returns the CNAME that the owner of domain has to add for Issuers
// in the namespace scope. The error says what is wrong with domain or scope.
func (c *Checker) DomainRecord(scope, domain string) (Record, error) {
	name, err := c.domain(domain)
	if err != nil {
		return Record{}, err
	}
	target, err := c.Zone.Target(scope, name)
	if err != nil {
		return Record{}, err
	}
	return Record{Name: zone.ChallengeName(name), Type: "CNAME", Value: target,
		Why: fmt.Sprintf("lets Issuers in namespace %s get certificates for %s and *.%s", scope, zone.Unicode(name), zone.Unicode(name))}, nil
}

// domain returns the canonical form of s if it can have a CNAME to us.
func (c *Checker) domain(s string) (string, error) {
	name, err := zone.Domain(s)
	if err != nil {
		return "", err
	}
	if c.Zone.Contains(name) {
		return "", fmt.Errorf("domain %q: %w", s, ErrOwnZone)
	}
	if IsPublicSuffix(name) {
		return "", fmt.Errorf("domain %q: %w", s, ErrPublicSuffix)
	}
	return name, nil
}

// IsPublicSuffix reports whether a canonical domain is a top-level domain, or
// one like co.uk that a registry registers names under. Suffixes of private
// companies are not: their owners can well want certificates.
func IsPublicSuffix(domain string) bool {
	suffix, registry := publicsuffix.PublicSuffix(domain)
	return suffix == domain && (registry || !strings.Contains(domain, "."))
}

// registered returns the domain that was registered at a registry, of which
// domain is a part.
func registered(domain string) string {
	for name := domain; ; {
		_, rest, ok := strings.Cut(name, ".")
		if !ok || IsPublicSuffix(rest) {
			return name
		}
		name = rest
	}
}
