package zone

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"
)

// The record of dns-persist-01, a challenge that is still a draft
// (draft-ietf-acme-dns-persist). Signpost prints and checks it, and serves nothing of it.

const persistPrefix = "_validation-persist."

// PersistName returns the name at which the CA looks for the record.
func PersistName(domain string) string { return persistPrefix + domain }

// Persist is what the record says.
type Persist struct {
	CA       string    // its issuer domain name, as in CAA records
	Account  string    // value of accounturi
	Wildcard bool      // for the wildcard too, and with it for every name below the domain
	Until    time.Time // after which the CA no longer heeds the record; zero for ever
}

// Value returns the record's text: an issue-value of RFC 8659 section 4.2 with the
// draft's parameters.
func (p Persist) Value() string {
	value := p.CA + "; accounturi=" + p.Account
	if p.Wildcard {
		value += "; policy=wildcard"
	}
	if !p.Until.IsZero() {
		value += fmt.Sprintf("; persistUntil=%d", p.Until.Unix())
	}
	return value
}

// Persist returns the record for the domain.
func (t Target) Persist(p Persist) Record {
	whom := Unicode(t.Domain)
	if p.Wildcard {
		whom = fmt.Sprintf("%s, *.%s and every name below it", whom, whom)
	}
	why := fmt.Sprintf("preview of dns-persist-01: lets this account at %s get certificates for %s with no challenge", p.CA, whom)
	if !p.Until.IsZero() {
		why += ", until " + p.Until.UTC().Format(time.DateOnly)
	}
	return Record{Name: PersistName(t.Domain), Type: "TXT", Value: QuoteTXT(p.Value()), Why: why}
}

// QuoteTXT returns text as the RDATA of one TXT record in presentation format, in
// strings of 255 octets at most (RFC 1035 section 3.3.14).
func QuoteTXT(text string) string {
	var out []string
	for len(text) > 255 {
		out, text = append(out, fmt.Sprintf("%q", text[:255])), text[255:]
	}
	return strings.Join(append(out, fmt.Sprintf("%q", text)), " ")
}

// HashedAccount returns the accounturi that the draft wants since its version 02, which
// hides the account: the CA's accountHashPrefix, and a hash over the domain ("*" for one
// that serves every domain), the thumbprint of the account's key (RFC 7638) and the
// account's URL.
func HashedAccount(prefix, domain, thumbprint, accountURL string) string {
	sum := sha256.Sum256([]byte(string([]byte{byte(len(domain))}) + domain + thumbprint + accountURL))
	return prefix + "sha-256/" + base64.RawURLEncoding.EncodeToString(sum[:])
}

// CheckThumbprint says what keeps s from being the thumbprint of an account's key.
func CheckThumbprint(s string) error {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) != sha256.Size || len(s) != 43 {
		return errors.New("write the SHA-256 JWK thumbprint of the account's key (RFC 7638), 43 characters in base64url")
	}
	return nil
}
