package check

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/internal/zone"
)

// persistSoon is how long before its end a record is worth a word.
const persistSoon = 30 * 24 * time.Hour

// Persist says whether the record of dns-persist-01 is there, as a resolver sees it:
// a preview, which permits nothing here (draft-ietf-acme-dns-persist). want is the
// record for the domain; accounts are the values of accounturi that the CA takes for the
// account, want's among them. now is compared with persistUntil.
func (c *Checker) Persist(ctx context.Context, domain string, want zone.Persist, accounts []string, now time.Time) Finding {
	l, bad := c.lookFor(defaultScope, domain)
	if bad != nil {
		return *bad
	}
	ctx, cancel := c.bound(ctx, queriesOfOthers)
	defer cancel()
	record := l.Persist(want)
	r := Finding{Check: persistFine, Subject: record.Name, Status: OK, Wanted: "TXT " + record.Value}
	texts, err := c.texts(ctx, record.Name)
	if err != nil {
		r.Check, r.Status, r.Seen = persistUnknown, Unknown, err.Error()
		r.Hint = fmt.Sprintf("Make the DNS servers of %s answer for %s.", zone.Unicode(l.Domain), record.Name)
		return r
	}
	r.Seen = "nothing"
	if len(texts) > 0 {
		r.Seen = "TXT " + strings.Join(texts, ", ")
	}
	best := persistRecord{rank: persistNobody}
	for _, text := range texts {
		if p := judgePersist(text, want, accounts, now); p.rank > best.rank {
			best = p
		}
	}
	add := fmt.Sprintf("the record %s TXT %s", record.Name, record.Value)
	switch best.rank {
	case persistNobody:
		r.Check, r.Status, r.Hint = persistMissing, Failed, fmt.Sprintf("Add %s.", add)
		if at := c.persistElsewhere(ctx, l.Domain, want.CA); at != "" {
			r.Check, r.Seen, r.Hint = persistMisplaced, "the record, but at "+at, fmt.Sprintf("Rename the record at %s, so that you get %s.", at, add)
		}
	case persistBroken:
		r.Check, r.Status, r.Hint = persistMalformed, Failed, fmt.Sprintf("Replace the record, which a CA cannot read, by %s.", add)
	case persistOther:
		r.Check, r.Status, r.Hint = persistAccount, Failed, fmt.Sprintf("Add %s, beside or in place of that for another account.", add)
	case persistOver:
		r.Check, r.Status, r.Hint = persistUntil, Failed, fmt.Sprintf("Replace the record, which ended on %s, by %s.", best.until.UTC().Format(time.DateOnly), add)
	case persistNarrow:
		r.Check, r.Status, r.Hint = persistWildcard, Failed, fmt.Sprintf("Replace the record, which is not for the wildcard, by %s.", add)
	case persistEnds:
		r.Check, r.Status, r.Hint = persistUntil, Warning, fmt.Sprintf("Give the record a later persistUntil than %s, or none.", best.until.UTC().Format(time.DateOnly))
	}
	return r
}

// defaultScope is any: the record is the same for all.
const defaultScope = "default"

// What one record is worth; more is better.
const (
	persistNobody = iota // it is another CA's
	persistBroken
	persistOther
	persistOver
	persistNarrow
	persistEnds // it is right, and ends soon
	persistRight
)

type persistRecord struct {
	rank  int
	until time.Time
}

// judgePersist judges one TXT record by section 4 of the draft.
func judgePersist(text string, want zone.Persist, accounts []string, now time.Time) (p persistRecord) {
	issuer, parameters, ok := parseIssue(text)
	if !ok && strings.EqualFold(strings.Trim(strings.Split(text, ";")[0], " \t"), want.CA) {
		return persistRecord{rank: persistBroken}
	}
	if !ok || !strings.EqualFold(issuer, want.CA) {
		return persistRecord{rank: persistNobody}
	}
	account, policy, until := parameters["accounturi"], parameters["policy"], parameters["persistuntil"]
	if len(account) != 1 || len(policy) > 1 || len(until) > 1 {
		return persistRecord{rank: persistBroken}
	}
	if len(until) == 1 {
		seconds, err := strconv.ParseUint(until[0], 10, 40) // beyond the year 9999 formats do not go
		if err != nil {
			return persistRecord{rank: persistBroken}
		}
		p.until = time.Unix(int64(seconds), 0) //nolint:gosec // 40 bits
	}
	switch {
	case !slices.Contains(accounts, account[0]):
		p.rank = persistOther
	case !p.until.IsZero() && !now.Before(p.until):
		p.rank = persistOver
	case want.Wildcard && (len(policy) == 0 || !strings.EqualFold(policy[0], "wildcard")):
		p.rank = persistNarrow
	case !p.until.IsZero() && now.Add(persistSoon).After(p.until):
		p.rank = persistEnds
	default:
		p.rank = persistRight
	}
	return p
}

// persistElsewhere returns the name at which a record for the CA has ended up: the
// domain appended twice, at the domain itself, or at the challenge name.
func (c *Checker) persistElsewhere(ctx context.Context, domain, ca string) string {
	name := zone.PersistName(domain)
	for _, at := range []string{name + "." + domain, name + "." + zone.Registered(domain), domain, zone.ChallengeName(domain)} {
		if _, ok := dns.IsDomainName(at); !ok || len(at) > 253 {
			continue
		}
		texts, err := c.texts(ctx, at)
		if err != nil {
			continue
		}
		for _, text := range texts {
			if issuer, parameters, ok := parseIssue(text); ok && strings.EqualFold(issuer, ca) && len(parameters["accounturi"]) > 0 {
				return at
			}
		}
	}
	return ""
}

// texts returns the TXT records at a name, each in one piece, sorted.
func (c *Checker) texts(ctx context.Context, name string) (out []string, err error) {
	m, err := c.ask(ctx, name, dns.TypeTXT)
	if err != nil {
		return nil, err
	}
	for _, rr := range m.Answer { // at a CNAME's target too
		if txt, ok := rr.(*dns.TXT); ok {
			out = append(out, strings.Join(txt.Txt, ""))
		}
	}
	slices.Sort(out)
	return out, nil
}
