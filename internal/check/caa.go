package check

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// critical is the flag of a CAA record that a CA must understand (RFC 8659
// section 4.1).
const critical = 128

// caa finds the CAA records that count for domain (RFC 8659 section 3), and says
// whether one of the CAs in identities may issue by DNS-01.
func (c *Checker) caa(ctx context.Context, domain string, wildcard bool, identities []string) []Finding {
	if len(identities) == 0 {
		return nil
	}
	wanted := "CAA that lets " + strings.Join(identities, " or ") + " issue"
	for at := domain; at != ""; {
		m, err := c.ask(ctx, at, dns.TypeCAA)
		if err != nil {
			return []Finding{{Check: caaUnknown, Subject: domain, Status: Unknown, Wanted: wanted, Seen: err.Error(),
				Hint: fmt.Sprintf("Make the DNS servers of %s answer for CAA: a CA that gets no answer does not issue.", at)}}
		}
		var set []*dns.CAA // at a CNAME's target too
		for _, rr := range m.Answer {
			if r, ok := rr.(*dns.CAA); ok {
				set = append(set, r)
			}
		}
		if len(set) > 0 {
			return []Finding{judge(set, at, domain, wildcard, identities, wanted)}
		}
		_, at, _ = strings.Cut(at, ".")
	}
	return []Finding{{Check: caaFine, Subject: domain, Status: OK, Wanted: wanted, Seen: "no CAA, so every CA may issue"}}
}

func judge(set []*dns.CAA, at, domain string, wildcard bool, identities []string, wanted string) Finding {
	tag := "issue"
	var all, values []string
	r := Finding{Check: caaForbids, Subject: domain, Status: Failed, Wanted: wanted}
	for _, rr := range set {
		all = append(all, fmt.Sprintf("%s %q", strings.ToLower(rr.Tag), rr.Value))
		if wildcard && strings.EqualFold(rr.Tag, "issuewild") {
			tag = "issuewild" // goes before issue (RFC 8659 section 4.3)
		}
	}
	r.Seen = "CAA at " + at + ": " + sorted(all)
	for _, rr := range set {
		known := slices.Contains([]string{"issue", "issuewild", "iodef", "issuemail", "issuevmc", "contactemail", "contactphone"}, strings.ToLower(rr.Tag))
		if !known && rr.Flag&critical != 0 {
			r.Hint = fmt.Sprintf("Remove the critical CAA record with the tag %q at %s, which CAs do not know.", rr.Tag, at)
			return r
		}
		if strings.EqualFold(rr.Tag, tag) {
			values = append(values, rr.Value)
		}
	}
	if len(values) == 0 || slices.ContainsFunc(values, func(v string) bool { return lets(v, identities) }) {
		return Finding{Check: caaFine, Subject: domain, Status: OK, Wanted: wanted, Seen: r.Seen}
	}
	r.Hint = fmt.Sprintf("Add the record %s CAA 0 %s %q.", at, tag, identities[0])
	return r
}

// lets reports whether the value of an issue property (RFC 8659 section 4.2)
// names one of the CAs and, if it lists methods (RFC 8657 section 4), DNS-01.
func lets(value string, identities []string) bool {
	issuer, parameters, _ := strings.Cut(value, ";")
	if !slices.ContainsFunc(identities, func(id string) bool { return strings.EqualFold(strings.TrimSpace(issuer), id) }) {
		return false
	}
	for p := range strings.SplitSeq(parameters, ";") {
		key, methods, _ := strings.Cut(strings.TrimSpace(p), "=")
		if strings.TrimSpace(key) == "validationmethods" {
			return slices.Contains(strings.Split(strings.TrimSpace(methods), ","), "dns-01")
		}
	}
	return true
}
