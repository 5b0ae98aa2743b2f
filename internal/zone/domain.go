package zone

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

const (
	maxLabelLen = 63  // RFC 1035 section 2.3.4
	maxNameLen  = 253 // 255 octets on the wire, less the first length and the root

	challengePrefix = "_acme-challenge." // RFC 8555 section 8.4
)

// profile maps what people type to A-labels (RFC 5891, UTS 46). Which ASCII
// characters a label may have is decided by checkLabel alone.
var profile = idna.New(
	idna.MapForLookup(),
	idna.BidiRule(),
	idna.Transitional(false),
	idna.StrictDomainName(false),
	idna.CheckHyphens(false),
)

// Domain returns the canonical form of a domain for which a certificate is
// wanted: lower-case A-labels, no final dot, "*." removed, so that a name and
// its wildcard become the same. Unicode is accepted (RFC 5890), and so is what
// copying leaves around a name. The error says what keeps s from being the name of a
// certificate, and what to write instead if there is a name in it.
func Domain(s string) (string, error) {
	name, err := canonical(strings.TrimPrefix(clean(s), "*."))
	if err == nil {
		err = checkDomain(name)
	}
	if err != nil {
		return "", fmt.Errorf("domain %q: %w", s, err)
	}
	if len(name) > maxNameLen-len(challengePrefix) {
		return "", fmt.Errorf("domain %q: longer than %d characters, which leaves no room for %q in front of it",
			s, maxNameLen-len(challengePrefix), challengePrefix)
	}
	return name, nil
}

// ChallengeName returns the name at which a CA looks for the DNS-01 challenge
// of a canonical domain (RFC 8555 section 8.4), without a final dot.
func ChallengeName(domain string) string { return challengePrefix + domain }

// Unicode returns the form of a canonical domain that people read. A name that
// has no such form comes back as it is.
func Unicode(domain string) string {
	if u, err := idna.Display.ToUnicode(domain); err == nil {
		return u
	}
	return domain
}

// canonical returns s as a host name in lower-case A-labels without final dot.
func canonical(s string) (string, error) {
	if s == "" || s == "." {
		return "", errEmpty
	}
	if len(s) > 4*maxNameLen { // before IDNA, whose work grows faster than its input
		return "", errLong
	}
	if !utf8.ValidString(s) {
		return "", errors.New("is not text in UTF-8")
	}
	s = clean(s)
	if err := mistaken(s); err != nil {
		return "", err
	}
	name := strings.TrimSuffix(s, ".")
	if !isPlainASCII(name) {
		mapped, err := profile.ToASCII(name)
		if err != nil {
			return "", fmt.Errorf("is not a valid internationalised name: %w", err)
		}
		name = strings.TrimSuffix(mapped, ".")
	}
	name = lowerASCII(name)
	if _, err := netip.ParseAddr(name); err == nil {
		return "", errors.New("is an IP address, not a name")
	}
	if len(name) > maxNameLen {
		return "", errLong
	}
	for label := range strings.SplitSeq(name, ".") {
		if err := checkLabel(label); err != nil {
			return "", err
		}
	}
	return name, nil
}

func checkLabel(label string) error {
	if label == "" {
		return errors.New("has an empty label (two dots in a row, or one in front)")
	}
	if label == "*" {
		return errors.New(`has a "*" that is not the whole first label, where a certificate has one at most`)
	}
	if len(label) > maxLabelLen {
		return fmt.Errorf("has a label longer than %d characters", maxLabelLen)
	}
	if label[0] == '-' || label[len(label)-1] == '-' {
		return fmt.Errorf("has the label %q, which begins or ends with a hyphen", label)
	}
	for i := range len(label) {
		c := label[i]
		if c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return fmt.Errorf("has a character that names cannot have: %q", c)
		}
	}
	return nil
}

// isPlainASCII reports whether name can do without IDNA: only ASCII, and no
// A-label that would have to be checked.
func isPlainASCII(name string) bool {
	for i := range len(name) {
		if name[i] >= 0x80 {
			return false
		}
	}
	return !strings.Contains(lowerASCII(name), "xn--")
}

// lowerASCII folds A to Z and nothing else, as DNS does (RFC 4343 section 3).
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}
