package zone

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Record is a DNS record that somebody has to add.
type Record struct {
	Name  string `json:"name"`  // owner, lower-case A-labels, no final dot
	Type  string `json:"type"`  // NS, A, AAAA, CNAME or CAA
	Value string `json:"value"` // RDATA in presentation form; names without final dot
	Why   string `json:"why"`   // one sentence for the person who adds it
}

// Delegation returns the records that delegate the zone to these nameservers, to
// be added at the DNS provider of the zone above it. The address of a nameserver
// is among them only if it is known.
func (z *Zone) Delegation(nameservers []Nameserver) []Record {
	var out []Record
	for _, ns := range nameservers {
		out = append(out, Record{Name: z.origin, Type: "NS", Value: ns.Name,
			Why: fmt.Sprintf("sends everybody who asks for names in %s to Signpost's DNS server", z.origin)})
	}
	for _, ns := range nameservers {
		why := "the address of Signpost's DNS server"
		if z.Contains(ns.Name) {
			why += ", added beside the NS record as glue"
		}
		out = append(out, ns.Records(why)...)
	}
	return out
}

// Records returns the address records of the nameserver, each with the reason why.
func (ns Nameserver) Records(why string) (out []Record) {
	for _, a := range ns.Addresses {
		r := Record{Name: ns.Name, Type: "A", Value: a.String(), Why: why}
		if a.Is6() {
			r.Type = "AAAA"
		}
		out = append(out, r)
	}
	return out
}

// CAA returns the record that lets only one account of a CA issue for the domain and
// its wildcard (RFC 8657 section 3). ca is the name that the CA has in CAA records.
func (t Target) CAA(ca, accountURI string) Record {
	return Record{Name: t.Domain, Type: "CAA", Value: fmt.Sprintf("0 issue %q", ca+"; accounturi="+accountURI),
		Why: fmt.Sprintf("lets only this account at %s get certificates for %s and *.%s", ca, Unicode(t.Domain), Unicode(t.Domain))}
}

// CheckAccountURI says what keeps s from being the URI of an account in a CAA record.
func CheckAccountURI(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("%q: write the URL of the ACME account, as in the Issuer's status.acme.uri", s)
	}
	for _, r := range s {
		if r <= ' ' || r == ';' || r > '~' || r == '"' || r == '\\' {
			return fmt.Errorf("%q: %q cannot be in a CAA record", s, r)
		}
	}
	return nil
}

// CAAIdentity returns the name of a CA in CAA records, in lower case.
func CAAIdentity(s string) (string, error) {
	name, err := canonical(s)
	if err == nil && !strings.Contains(name, ".") {
		err = errors.New("has no dot")
	}
	if err != nil {
		return "", fmt.Errorf("%q: write the name that the CA has in CAA records, for example letsencrypt.org: it %w", s, err)
	}
	return name, nil
}
