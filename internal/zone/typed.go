package zone

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// clean takes away what copying leaves around and in a name, and nobody sees: space
// around it, zero-width characters, marks of direction. It writes the dots and the
// asterisk of East Asian keyboards as ASCII does.
func clean(s string) string {
	if !utf8.ValidString(s) {
		return s // and is refused for that
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\u3002' || r == '\uff0e' || r == '\uff61': // UTS 46 section 2.3
			return '.'
		case r == '\uff0a':
			return '*'
		case r == '\u00ad' || r == '\u200b' || r == '\u2060' || r == '\ufeff',
			r == '\u200e' || r == '\u200f' || '\u202a' <= r && r <= '\u202e' || '\u2066' <= r && r <= '\u2069':
			return -1
		}
		return r
	}, s)
	return strings.TrimFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || r == '\u200c' || r == '\u200d' // inside, the last two can be part of a name
	})
}

// IsWildcard reports whether s, as somebody typed it, is a wildcard.
func IsWildcard(s string) bool { return strings.HasPrefix(clean(s), "*.") }

// mistaken says what a clean s is, if it has a name in it that was meant, and which.
func mistaken(s string) error {
	if _, err := netip.ParseAddr(s); err == nil {
		return nil
	}
	what, name := "", ""
	if _, rest, ok := strings.Cut(s, "://"); ok {
		what = "is a URL"
		if u, err := url.Parse("x://" + rest); err == nil {
			name = u.Hostname()
		}
	} else if before, after, ok := strings.Cut(s, "@"); ok && before != "" {
		what, name = "is an e-mail address", after
	} else if before, _, ok := strings.Cut(s, "/"); ok {
		what, name = "has a path", before
	} else if before, after, ok := strings.Cut(s, ":"); ok && after != "" && strings.Trim(after, "0123456789") == "" {
		what, name = "has a port", before
	}
	if what == "" {
		return nil
	}
	if plain, err := canonical(strings.TrimPrefix(name, "*.")); err == nil {
		return fmt.Errorf("%s, not a name: write %s", what, plain)
	}
	return errors.New(what + ", not a name: write the name alone")
}

// checkDomain says what keeps a canonical name from being that of a certificate.
func checkDomain(name string) error {
	if rest, ok := strings.CutPrefix(name, challengePrefix); ok {
		for more := true; more; {
			rest, more = strings.CutPrefix(rest, challengePrefix)
		}
		return fmt.Errorf("is where the record of %s goes, not a domain: write %s", rest, rest)
	}
	return nil
}
