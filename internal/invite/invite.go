// Package invite is the signed link to the owner's page of one domain: what it says,
// how it is written, and the keys that sign it. It asks nobody, and may import
// internal/zone; its proof is invite_test.go, which also has Python and OpenSSL compute
// the test vectors of docs/owner-page.md.
package invite

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/signpost-acme/signpost/internal/zone"
)

// version is the first segment of a link, and part of what is signed: another format
// is another version.
const version = "v1"

// maxPath is longer than any link can be: a domain, a namespace and a key's name, with
// what is around them.
const maxPath = 512

// Link says whose page it leads to. There is no secret in it.
type Link struct {
	Scope   string    // the namespace that the target belongs to
	Domain  string    // canonical, without "*."
	Expires time.Time // to the second
}

// Errors of Open. Neither says more: whoever forges links learns nothing.
var (
	ErrInvalid = errors.New("the link is not valid")
	ErrExpired = errors.New("the link has expired")
)

// canonical is what is signed: five fields, separated by line feeds, none of which can
// have one in it.
func (l Link) canonical(key string) string {
	return strings.Join([]string{"signpost-invite-" + version, key, l.expires(), l.Scope, l.Domain}, "\n")
}

func (l Link) expires() string { return strconv.FormatInt(l.Expires.Unix(), 10) }

// Sign returns the path of a link, signed by the key whose name is the last in
// alphabetical order. z says what domains and scopes there can be.
func (k Keys) Sign(z *zone.Zone, l Link) (path string, err error) {
	target, err := z.Target(l.Scope, l.Domain)
	if err != nil {
		return "", err
	}
	name, ok := k.last()
	if !ok {
		return "", errors.New("there is no key to sign links with")
	}
	if l.Expires.Unix() <= 0 {
		return "", fmt.Errorf("links cannot end at %s", l.Expires)
	}
	l.Domain = target.Domain
	return "/" + strings.Join([]string{version, name, l.expires(), l.Scope, l.Domain, hex.EncodeToString(k.mac(name, l))}, "/"), nil
}

// Open returns what a path as Sign makes it says. Every octet counts: a path that is
// written otherwise, with %2e or capital letters say, is ErrInvalid, as is one whose
// key is not there any more. An expired one is told only to who has its signature.
func (k Keys) Open(z *zone.Zone, path string, now time.Time) (Link, error) {
	fields := strings.Split(path, "/")
	if len(path) > maxPath || len(fields) != 7 || fields[0] != "" || fields[1] != version {
		return Link{}, ErrInvalid
	}
	key, signature := fields[2], fields[6]
	seconds, err := strconv.ParseInt(fields[3], 10, 48)
	if err != nil {
		return Link{}, ErrInvalid
	}
	l := Link{Scope: fields[4], Domain: fields[5], Expires: time.Unix(seconds, 0)}
	if l.expires() != fields[3] { // +1 or 01
		return Link{}, ErrInvalid
	}
	if subtle.ConstantTimeCompare([]byte(hex.EncodeToString(k.mac(key, l))), []byte(signature)) != 1 || k[key] == nil {
		return Link{}, ErrInvalid
	}
	if t, err := z.Target(l.Scope, l.Domain); err != nil || t.Domain != l.Domain { // who has a key signs what they like
		return Link{}, ErrInvalid
	}
	if !now.Before(l.Expires) {
		return Link{}, ErrExpired
	}
	return l, nil
}

func (k Keys) mac(key string, l Link) []byte {
	h := hmac.New(sha256.New, k[key])
	h.Write([]byte(l.canonical(key)))
	return h.Sum(nil)
}
