package zone

import (
	"strings"

	"golang.org/x/net/publicsuffix"
)

// IsPublicSuffix reports whether a canonical domain is a top-level domain, or
// one like co.uk that a registry registers names under, so that no CA issues for it
// and its wildcard. Suffixes of private companies are not: their owners can well want
// certificates. Neither are the names of networks of one's own, which a CA of one's
// own can issue for.
func IsPublicSuffix(domain string) bool { return isSuffix(domain) && !IsPrivateSuffix(domain) }

// IsPrivateSuffix reports whether a canonical domain is what names in networks of
// one's own end in: internal, home.arpa (RFC 8375), or a top-level domain that the
// Internet does not have, such as lan and corp.
func IsPrivateSuffix(domain string) bool {
	switch domain {
	case "home.arpa":
		return true
	case "localhost", "invalid", "example": // in nobody's DNS (RFC 6761)
		return false
	}
	suffix, registry := publicsuffix.PublicSuffix(domain)
	return suffix == domain && !registry && !strings.Contains(domain, ".")
}

func isSuffix(domain string) bool {
	suffix, registry := publicsuffix.PublicSuffix(domain)
	return suffix == domain && (registry || !strings.Contains(domain, "."))
}

// Registered returns the domain that was registered at a registry, of which the
// canonical domain is a part. A private suffix counts as a registry.
func Registered(domain string) string {
	for name := domain; ; {
		_, rest, ok := strings.Cut(name, ".")
		if !ok || isSuffix(rest) {
			return name
		}
		name = rest
	}
}
