package dnsserve

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/miekg/dns"
)

// Key is a secret shared with a secondary, which signs messages (TSIG, RFC 8945).
type Key struct {
	Name      string // lower case, without the final dot
	Algorithm string // dns.HmacSHA256 or dns.HmacSHA512
	Secret    []byte
}

// minSecret is the shortest secret that is taken, in octets. RFC 8945 section 8 wants
// what the algorithm puts out; other servers' tools may make half of that.
const minSecret = 16

// ParseKeys reads keys in the syntax of BIND's named.conf, as tsig-keygen and keymgr
// write them: key "name" { algorithm hmac-sha256; secret "base64"; }; There may be
// several, also under one name, and comments between them. No error has a secret in it.
func ParseKeys(text string) (keys []Key, err error) {
	tokens, err := tokenize(text)
	if err != nil {
		return nil, err
	}
	p := keyParser{tokens}
	for len(p.tokens) > 0 {
		k, err := p.key()
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, errors.New(`has no key; write key "name" { algorithm hmac-sha256; secret "..."; };`)
	}
	return keys, nil
}

type keyParser struct{ tokens []string }

// next takes a token, "" at the end.
func (p *keyParser) next() (token string) {
	if len(p.tokens) > 0 {
		token, p.tokens = p.tokens[0], p.tokens[1:]
	}
	return token
}

// key takes one key statement.
func (p *keyParser) key() (k Key, err error) {
	if p.next() != "key" {
		return k, errors.New(`something other than key "name" { … }; is in it`)
	}
	k.Name = strings.ToLower(strings.TrimSuffix(p.next(), "."))
	if _, ok := dns.IsDomainName(k.Name); !ok || k.Name == "" {
		return k, errors.New("a key's name is not a domain name")
	}
	if p.next() != "{" {
		return k, fmt.Errorf("key %q: a { is missing behind the name", k.Name)
	}
	for {
		switch statement := p.next(); statement {
		case "algorithm":
			if k.Algorithm, err = algorithm(p.next()); err != nil {
				return k, fmt.Errorf("key %q: %w", k.Name, err)
			}
		case "secret":
			if k.Secret, err = base64.StdEncoding.DecodeString(p.next()); err != nil {
				return k, fmt.Errorf("key %q: the secret is not base64", k.Name) // err would show where
			}
		case "}":
			if p.next() != ";" {
				return k, fmt.Errorf("key %q: a ; is missing at the end", k.Name)
			}
			return k, k.check()
		default:
			return k, fmt.Errorf("key %q: has something other than algorithm and secret in it", k.Name)
		}
		if p.next() != ";" {
			return k, fmt.Errorf("key %q: a ; is missing", k.Name)
		}
	}
}

func (k Key) check() error {
	switch {
	case k.Algorithm == "":
		return fmt.Errorf("key %q: has no algorithm; write algorithm hmac-sha256;", k.Name)
	case len(k.Secret) == 0:
		return fmt.Errorf("key %q: has no secret", k.Name)
	case len(k.Secret) < minSecret:
		return fmt.Errorf("key %q: the secret has %d octets, and at least %d are needed; make one with: tsig-keygen -a hmac-sha256 %s", k.Name, len(k.Secret), minSecret, k.Name)
	}
	return nil
}

// algorithm returns the name that an algorithm has in messages. The older ones of
// RFC 8945 section 6 are not taken: nothing needs them.
func algorithm(name string) (string, error) {
	switch a := dns.Fqdn(strings.ToLower(name)); a {
	case dns.HmacSHA256, dns.HmacSHA512:
		return a, nil
	default:
		return "", fmt.Errorf("algorithm %q is neither hmac-sha256 nor hmac-sha512", name)
	}
}

// tokenize cuts text into words, quoted strings without their quotes, and { } ;.
func tokenize(text string) (tokens []string, err error) {
	for {
		text = strings.TrimLeft(text, " \t\r\n")
		switch {
		case text == "":
			return tokens, nil
		case strings.HasPrefix(text, "#"), strings.HasPrefix(text, "//"):
			_, text, _ = strings.Cut(text, "\n")
		case strings.HasPrefix(text, "/*"):
			_, rest, ok := strings.Cut(text, "*/")
			if !ok {
				return nil, errors.New("a comment does not end")
			}
			text = rest
		case text[0] == '"':
			token, rest, ok := strings.Cut(text[1:], `"`)
			if !ok {
				return nil, errors.New("a quote is not closed")
			}
			tokens, text = append(tokens, token), rest
		default:
			n := strings.IndexAny(text, " \t\r\n{};\"")
			switch {
			case n < 0:
				n = len(text)
			case n == 0:
				n = 1
			}
			tokens, text = append(tokens, text[:n]), text[n:]
		}
	}
}
