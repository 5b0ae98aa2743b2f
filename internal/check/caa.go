package check

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// CA is who is to issue, as CAA records name it. Without Identities, CAA is not judged.
type CA struct {
	Identities []string // such as letsencrypt.org; those that the CA's directory lists
	AccountURI string   // of the account that orders (RFC 8657 section 3); "" if it is not known
}

// critical is the flag of a CAA record that a CA must understand (RFC 8659 section
// 4.1). So many people wrote 1 for the first bit that CAs take that for it too.
const critical = 128 | 1

// knownTags are those of the properties that CAs know, whether they heed them or not.
var knownTags = []string{"issue", "issuewild", "iodef", "issuemail", "issuevmc", "contactemail", "contactphone"}

// caa finds the CAA records that count for domain (RFC 8659 section 3), and says
// whether they let the CA issue by DNS-01.
func (c *Checker) caa(ctx context.Context, domain string, wildcard bool, ca CA) []Finding {
	if len(ca.Identities) == 0 {
		return nil
	}
	wanted := "CAA that lets " + strings.Join(ca.Identities, " or ") + " issue"
	if ca.AccountURI != "" {
		wanted += " to account " + ca.AccountURI
	}
	for at := domain; at != ""; {
		m, err := c.ask(ctx, at, dns.TypeCAA)
		if err != nil {
			return []Finding{{Check: caaUnknown, Subject: domain, Status: Unknown, Wanted: wanted, Seen: err.Error(),
				Hint: fmt.Sprintf("Make the DNS servers of %s answer for CAA: a CA that gets no answer does not issue.", at)}}
		}
		var set []*dns.CAA // at a CNAME's target too, which climbs no further (RFC 8659 section 3)
		for _, rr := range m.Answer {
			if r, ok := rr.(*dns.CAA); ok {
				set = append(set, r)
			}
		}
		if len(set) > 0 {
			return []Finding{judgeCAA(set, at, domain, wildcard, ca, wanted)}
		}
		_, at, _ = strings.Cut(at, ".")
	}
	return []Finding{{Check: caaFine, Subject: domain, Status: OK, Wanted: wanted, Seen: "no CAA, so every CA may issue"}}
}

func judgeCAA(set []*dns.CAA, at, domain string, wildcard bool, ca CA, wanted string) Finding {
	tag := "issue"
	var all []string
	for _, rr := range set {
		all = append(all, fmt.Sprintf("%s %q", strings.ToLower(rr.Tag), rr.Value))
		if wildcard && strings.EqualFold(rr.Tag, "issuewild") {
			tag = "issuewild" // goes before issue (RFC 8659 section 4.3)
		}
	}
	r := Finding{Check: caaForbids, Subject: domain, Status: Failed, Wanted: wanted, Seen: "CAA at " + at + ": " + sorted(all)}
	counts, best := 0, caaNobody
	for _, rr := range set {
		if rr.Flag&critical != 0 && !slices.Contains(knownTags, strings.ToLower(rr.Tag)) {
			r.Hint = fmt.Sprintf("Remove the critical CAA record with the tag %q at %s, which CAs do not know.", rr.Tag, at)
			return r
		}
		if strings.EqualFold(rr.Tag, tag) {
			counts++
			best = max(best, ca.letBy(rr.Value))
		}
	}
	value := ca.Identities[0]
	if ca.AccountURI != "" {
		value += "; accounturi=" + ca.AccountURI
	}
	add := fmt.Sprintf("the record %s CAA 0 %s %q", at, tag, value)
	switch {
	case counts == 0 || best == caaLets:
		r.Check, r.Status = caaFine, OK
	case best == caaAccountUnknown:
		r.Check, r.Status = caaAccount, Warning
		r.Hint = fmt.Sprintf("See that the account in the CAA record at %s is the Issuer's: its status.acme.uri, or --account-uri to have it compared.", at)
	case best == caaOtherAccount:
		r.Check = caaAccount
		r.Hint = fmt.Sprintf("Add %s, beside or in place of that for another account.", add)
	default:
		r.Hint = fmt.Sprintf("Add %s.", add)
	}
	return r
}

// What one property does for a CA; more is better.
const (
	caaNobody         = iota // not this CA, not by DNS-01, or it cannot be understood
	caaOtherAccount          // this CA, but another account
	caaAccountUnknown        // this CA, and an account that we cannot compare
	caaLets
)

// letBy says what the value of an issue property does for the CA (RFC 8659 section
// 4.2, RFC 8657 sections 3 and 4).
func (ca CA) letBy(value string) int {
	issuer, parameters, ok := parseIssue(value)
	if !ok || !slices.ContainsFunc(ca.Identities, func(id string) bool { return strings.EqualFold(issuer, id) }) {
		return caaNobody
	}
	accounts, methods := parameters["accounturi"], parameters["validationmethods"]
	switch {
	case len(accounts) > 1 || len(methods) > 1, // neither may be there twice
		len(methods) == 1 && !namesDNS01(methods[0]):
		return caaNobody
	case len(accounts) == 0 || accounts[0] == ca.AccountURI && ca.AccountURI != "":
		return caaLets
	case ca.AccountURI == "" && accounts[0] != "":
		return caaAccountUnknown
	}
	return caaOtherAccount
}

var (
	caaLabel  = regexp.MustCompile(`^[0-9A-Za-z](?:[0-9A-Za-z-]*[0-9A-Za-z])?$`)
	caaMethod = regexp.MustCompile(`^[0-9A-Za-z-]+$`)
	caaValue  = regexp.MustCompile(`^[\x21-\x3a\x3c-\x7e]*$`)
)

// namesDNS01 reports whether a list of methods has dns-01; one that is malformed has
// nothing.
func namesDNS01(list string) bool {
	methods := strings.Split(list, ",")
	return !slices.ContainsFunc(methods, func(m string) bool { return !caaMethod.MatchString(m) }) && slices.Contains(methods, "dns-01")
}

// parseIssue parses the value of an issue property. The issuer is empty in one that
// forbids all. Tags of parameters come back in lower case. A value that is malformed
// lets nobody issue, but keeps others from it.
func parseIssue(value string) (issuer string, parameters map[string][]string, ok bool) {
	const space = " \t"
	parts := strings.Split(value, ";")
	issuer = strings.Trim(parts[0], space)
	for label := range strings.SplitSeq(issuer, ".") {
		if issuer != "" && !caaLabel.MatchString(label) {
			return "", nil, false
		}
	}
	parameters = map[string][]string{}
	if len(parts) == 2 && strings.Trim(parts[1], space) == "" {
		return issuer, parameters, true
	}
	for _, part := range parts[1:] {
		tag, v, found := strings.Cut(part, "=")
		tag, v = strings.ToLower(strings.Trim(tag, space)), strings.Trim(v, space)
		if !found || !caaLabel.MatchString(tag) || !caaValue.MatchString(v) {
			return "", nil, false
		}
		parameters[tag] = append(parameters[tag], v)
	}
	return issuer, parameters, true
}
