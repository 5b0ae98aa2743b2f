package check

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// Domain is CNAME and everything else that decides whether a certificate can be
// issued for domain: what the domain's own DNS servers say, DNSSEC, and whether
// CAA lets the CA issue that calls itself one of ca there, such as
// "letsencrypt.org". Without ca, CAA is not judged. A domain that begins with
// "*." has its wildcard checked. The first Finding is that of CNAME, unless DNSSEC
// explains why there was none.
func (c *Checker) Domain(ctx context.Context, scope, domain string, ca []string) []Finding {
	l, bad := c.lookFor(scope, domain)
	if bad != nil {
		return []Finding{*bad}
	}
	ctx, cancel := c.bound(ctx, queriesOfOthers)
	defer cancel()
	var caa, authoritative []Finding
	var wg sync.WaitGroup
	wg.Go(func() { caa = c.caa(ctx, l.Domain, strings.HasPrefix(domain, "*."), ca) })
	cname, answer := c.cname(ctx, l)
	if cname.Status == Unknown {
		if r, ok := c.bogus(ctx, l); ok {
			cname = r
		}
	} else {
		authoritative = c.authoritative(ctx, l, cname, answer)
		if r, ok := c.stray(ctx, l, cname); ok && !has(authoritative, txtBeside) {
			authoritative = append(authoritative, r)
		}
	}
	wg.Wait()
	return append(append([]Finding{cname}, authoritative...), caa...)
}

func has(results []Finding, check string) bool {
	for _, r := range results {
		if r.Check == check {
			return true
		}
	}
	return false
}

// bogus asks once more without validation: what is there then, and was not
// before, has a broken signature.
func (c *Checker) bogus(ctx context.Context, l lookingFor) (Finding, bool) {
	_, err := c.resolve(ctx, l.Challenge, dns.TypeCNAME, false)
	if s, ok := err.(*silence); !ok || !s.servfail { //nolint:errorlint // ask returns nothing else
		return Finding{}, false
	}
	if _, err := c.resolve(ctx, l.Challenge, dns.TypeCNAME, true); err != nil {
		return Finding{}, false
	}
	return l.result(dnssecBogus, Failed, err.Error()+", but not with DNSSEC validation off",
		fmt.Sprintf("Repair the DNSSEC of the zone with %s (the DS record at its registrar does not go with its keys), or remove the DS record.", l.Challenge)), true
}

// stray is for a TXT record that a resolver finds beside the CNAME.
func (c *Checker) stray(ctx context.Context, l lookingFor, cname Finding) (Finding, bool) {
	if cname.Check == cnameIsTXT || cname.Check == cnameMissing {
		return Finding{}, false
	}
	m, err := c.ask(ctx, l.Challenge, dns.TypeTXT)
	if err != nil || len(find[*dns.TXT](m.Answer, l.Challenge)) == 0 {
		return Finding{}, false
	}
	return l.txtBeside(), true
}

func (l lookingFor) txtBeside() Finding {
	return l.result(txtBeside, Failed, "a TXT record beside it",
		fmt.Sprintf("Delete the TXT record at %s, so that nothing but %s is there.", l.Challenge, l.add()))
}

// authoritative asks the domain's own servers, and compares.
func (c *Checker) authoritative(ctx context.Context, l lookingFor, cname Finding, seen *dns.Msg) []Finding {
	if len(find[*dns.CNAME](seen.Answer, l.Challenge)) > 0 && cname.Check != cnameOtherScope && cname.Status != OK && cname.Check != cnameElsewhere {
		return nil // a chain of its own, and said already
	}
	apex, err := c.zoneOf(ctx, l.Domain)
	if err != nil {
		return nil
	}
	servers, err := c.serversOf(ctx, apex)
	if err != nil {
		return nil
	}
	wanted := l.Name
	if found := find[*dns.CNAME](seen.Answer, l.Challenge); cname.Status == OK && len(found) > 0 {
		wanted = plain(found[0].Target) // perhaps a name that leads on to the target
	}
	answers := c.askEach(ctx, servers, l.Challenge)
	var right, wrong []string
	var out []Finding
	for i, m := range answers {
		if m == nil {
			continue
		}
		if cut := l.cut(cutBelow(m, l.Challenge)); cut.Check != "" && cname.Check != challengeDelegated && !has(out, challengeDelegated) {
			out = append(out, cut)
		}
		if len(find[*dns.TXT](m.Answer, l.Challenge)) > 0 && cname.Check != cnameIsTXT && !has(out, txtBeside) {
			out = append(out, l.txtBeside())
		}
		if found := find[*dns.CNAME](m.Answer, l.Challenge); len(found) > 0 && plain(found[0].Target) == wanted {
			right = append(right, servers[i].String())
		} else {
			wrong = append(wrong, servers[i].String())
		}
	}
	switch {
	case has(out, challengeDelegated):
	case len(wrong) == 0 && len(right) > 0 && cname.Status != OK:
		out = append(out, l.result(cnameCached, Warning, "the right record at the domain's own servers, and an older answer at the resolver",
			fmt.Sprintf("Wait for %s at most: the record is right, and the resolver still remembers what was there before.", about(ttl(seen)))))
	case len(wrong) > 0 && len(right) > 0:
		out = append(out, l.result(authoritativeDiffer, Failed, "not so at "+sorted(wrong),
			fmt.Sprintf("Make all the domain's DNS servers have %s: a CA asks any of them.", l.add())))
	case len(wrong) > 0 && cname.Status == OK:
		out = append(out, l.result(authoritativeDiffer, Failed, "not so at "+sorted(wrong)+", only in the resolver's memory",
			fmt.Sprintf("Add %s again: the domain's DNS servers do not have it any more.", l.add())))
	}
	return out
}

// cutBelow returns the NS records of a referral to name.
func cutBelow(m *dns.Msg, name string) []*dns.NS {
	if m.Authoritative {
		return nil
	}
	return find[*dns.NS](m.Ns, name)
}

// askEach asks all servers at once for TXT at name: the answer has the CNAME if
// there is one, and the TXT if that is there instead or beside. nil is no answer.
func (c *Checker) askEach(ctx context.Context, servers []server, name string) []*dns.Msg {
	answers := make([]*dns.Msg, len(servers))
	var wg sync.WaitGroup
	for i, s := range servers {
		wg.Go(func() {
			if m, err := c.askServer(ctx, s.addr, name, dns.TypeTXT); err == nil && (m.Rcode == dns.RcodeSuccess || m.Rcode == dns.RcodeNameError) {
				answers[i] = m
			}
		})
	}
	wg.Wait()
	return answers
}

// ttl returns for how long a resolver goes on with its answer (RFC 2308 section 5).
func ttl(m *dns.Msg) time.Duration {
	records := slices.Concat(m.Answer, m.Ns)
	if len(records) == 0 {
		return 0
	}
	seconds := records[0].Header().Ttl
	if soa, ok := records[0].(*dns.SOA); ok {
		seconds = min(seconds, soa.Minttl)
	}
	return time.Duration(seconds) * time.Second
}

// about rounds up to one of a few steps, so that the sentence with it does not
// change every second.
func about(d time.Duration) string {
	for _, step := range []struct {
		most time.Duration
		text string
	}{
		{time.Minute, "a minute"}, {5 * time.Minute, "5 minutes"}, {15 * time.Minute, "15 minutes"}, {time.Hour, "an hour"},
		{3 * time.Hour, "3 hours"}, {12 * time.Hour, "12 hours"}, {24 * time.Hour, "a day"},
	} {
		if d <= step.most {
			return step.text
		}
	}
	return "a week"
}
