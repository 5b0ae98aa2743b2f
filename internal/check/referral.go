package check

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// referralTo returns the apex below at of a zone with name in it, to which m refers;
// "" if it does not.
func referralTo(m *dns.Msg, at, name string) string {
	if m.Authoritative || m.Rcode != dns.RcodeSuccess || len(m.Answer) > 0 {
		return ""
	}
	for _, rr := range m.Ns {
		owner := plain(rr.Header().Name)
		if rr.Header().Rrtype == dns.TypeNS && owner != at && dns.IsSubDomain(dns.Fqdn(at), dns.Fqdn(owner)) && dns.IsSubDomain(dns.Fqdn(owner), dns.Fqdn(name)) {
			return owner
		}
	}
	return ""
}

// glueOf returns the addresses beside a referral that the zone at apex may give.
func glueOf(m *dns.Msg, apex string) map[string][]netip.Addr {
	out := map[string][]netip.Addr{}
	for _, rr := range m.Extra {
		name := plain(rr.Header().Name)
		if !dns.IsSubDomain(dns.Fqdn(apex), dns.Fqdn(name)) {
			continue
		}
		switch rr := rr.(type) {
		case *dns.A:
			out[name] = appendAddr(out[name], rr.A)
		case *dns.AAAA:
			out[name] = appendAddr(out[name], rr.AAAA)
		}
	}
	for _, addrs := range out {
		slices.SortFunc(addrs, netip.Addr.Compare)
	}
	return out
}

// cutsBetween returns the names at which the zone that answered m for name may begin,
// the deepest first: one if its SOA shows which; else those from name up to
// base, the domain that was registered, but not above apex.
func cutsBetween(m *dns.Msg, name, apex, base string) (out []string) {
	if at, ok := apexOf(m, name); ok {
		if above(at, base) {
			return nil
		}
		return []string{at}
	}
	for at := name; len(out) < maxCuts && dns.IsSubDomain(dns.Fqdn(apex), dns.Fqdn(at)) && !above(at, base); {
		if at != name || len(m.Answer) == 0 { // where a CNAME is, no zone begins
			out = append(out, at)
		}
		_, rest, ok := strings.Cut(at, ".")
		if !ok {
			break
		}
		at = rest
	}
	return out
}

// apexOf returns the apex of the zone that answered m, if it has nothing to say about
// name and says so with its SOA.
func apexOf(m *dns.Msg, name string) (string, bool) {
	for _, rr := range m.Ns {
		at := plain(rr.Header().Name)
		if rr.Header().Rrtype == dns.TypeSOA && len(m.Answer) == 0 && dns.IsSubDomain(dns.Fqdn(at), dns.Fqdn(name)) {
			return at, true
		}
	}
	return "", false
}
