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
	Type  string `json:"type"`  // NS, A, AAAA, CNAME, CAA, TXT or DS
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

// Binding is what binds a domain to one account of a CA.
type Binding struct {
	CA      string // by the name that it has in CAA records
	Account string // URI of the account
	Methods string // challenges by which the CA may validate, separated by commas; "" for any
}

// IssueValue returns the value of an issue property with the binding (RFC 8659 section
// 4.2, RFC 8657 sections 3 and 4).
func (b Binding) IssueValue() string {
	value := b.CA + "; accounturi=" + b.Account
	if b.Methods != "" {
		value += "; validationmethods=" + b.Methods
	}
	return value
}

// CAA returns the record that lets only one account of a CA issue for the domain and
// its wildcard.
func (t Target) CAA(b Binding) Record {
	why := fmt.Sprintf("lets only this account at %s get certificates for %s and *.%s", b.CA, Unicode(t.Domain), Unicode(t.Domain))
	if b.Methods != "" {
		why += ", and only by " + strings.ReplaceAll(b.Methods, ",", " or ")
	}
	return Record{Name: t.Domain, Type: "CAA", Value: fmt.Sprintf("0 issue %q", b.IssueValue()), Why: why}
}

// CheckMethods says what keeps s from being the validation methods of a CAA record
// that lets Signpost's challenges, dns-01, go on. "" is any method.
func CheckMethods(s string) error {
	found := s == ""
	for method := range strings.SplitSeq(s, ",") {
		found = found || method == "dns-01"
		for _, r := range method {
			if r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
				return fmt.Errorf("%q: write challenges of ACME, separated by commas, for example dns-01,http-01", s)
			}
		}
		if method == "" && s != "" {
			return fmt.Errorf("%q: has an empty method", s)
		}
	}
	if !found {
		return fmt.Errorf("%q: has no dns-01, by which Signpost validates", s)
	}
	return nil
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
