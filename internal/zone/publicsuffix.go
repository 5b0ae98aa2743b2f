package zone

import (
	"strings"

	"golang.org/x/net/publicsuffix"
)

// IsPublicSuffix reports whether a canonical domain is a top-level domain, or
// one like co.uk that a registry registers names under. Suffixes of private
// companies are not: their owners can well want certificates.
func IsPublicSuffix(domain string) bool {
	suffix, registry := publicsuffix.PublicSuffix(domain)
	return suffix == domain && (registry || !strings.Contains(domain, "."))
}

// Registered returns the domain that was registered at a registry, of which the
// canonical domain is a part.
func Registered(domain string) string {
	for name := domain; ; {
		_, rest, ok := strings.Cut(name, ".")
		if !ok || IsPublicSuffix(rest) {
			return name
		}
		name = rest
	}
}
