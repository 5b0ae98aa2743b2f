package check

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/internal/zone"
)

// server asks one address of our DNS server as the resolver of a CA does: random
// letters, EDNS with 1232 octets, over UDP and over TCP.
func (c *Checker) server(ctx context.Context, s server) []Finding {
	origin := c.Zone.Origin()
	r := Finding{Check: serverFine, Subject: s.String(), Status: OK, Wanted: "authoritative answers over UDP and TCP"}
	if why := zone.Unreachable(s.addr); why != "" && !c.PrivateAddresses {
		r.Check, r.Status, r.Wanted, r.Seen = serverPrivate, Failed, "an address that the Internet reaches", "an address that is "+why
		r.Hint = fmt.Sprintf("Replace %s by an address of %s that the Internet reaches, or use --private-addresses if your CA is your own.", s.addr, c.serving(s.name))
		return []Finding{r}
	}
	udp, err := c.probe(ctx, "udp", s.addr)
	if errors.Is(err, errNoAnswer) && ctx.Err() == nil {
		udp, err = c.probe(ctx, "udp", s.addr)
	}
	switch {
	case errors.Is(err, errNoRoute):
		r.Check, r.Status, r.Seen = serverNoRoute, Unknown, "no route from here"
		r.Hint = fmt.Sprintf("Run the check from a machine that has %s.", family(s.addr))
		return []Finding{r}
	case errors.Is(err, errLetters):
		r.Check, r.Status, r.Seen = serverLetters, Failed, err.Error()
		r.Hint = fmt.Sprintf("Remove whatever rewrites DNS messages in front of %s: resolvers of CAs write names in random letters, and want them back.", s.addr)
		return []Finding{r}
	case err != nil:
		r.Check, r.Status, r.Seen = serverUDP, Failed, "over UDP: "+err.Error()
		r.Hint = fmt.Sprintf("Let UDP port 53 of %s through to %s, past firewalls and load balancers.", s.addr, c.serving(s.name))
		return []Finding{r}
	}
	out := c.judgeServer(ctx, s, udp)
	switch tcp, err := c.probe(ctx, "tcp", s.addr); {
	case err != nil:
		r.Check, r.Status, r.Seen = serverTCP, Failed, "over TCP: "+err.Error()
		r.Hint = fmt.Sprintf("Let TCP port 53 of %s through to %s too: resolvers of CAs use it when UDP fails or an answer is long.", s.addr, c.serving(s.name))
		out = append(out, r)
	case len(out) == 0 && len(c.judgeServer(ctx, s, tcp)) > 0:
		r.Check, r.Status, r.Seen = serverTCP, Failed, "over TCP another server than over UDP"
		r.Hint = fmt.Sprintf("Send TCP port 53 of %s to %s too.", s.addr, c.serving(s.name))
		out = append(out, r)
	}
	if len(out) > 0 {
		return out
	}
	r.Seen = fmt.Sprintf("authoritative for %s over UDP and TCP%s", origin, identity(udp))
	return []Finding{r}
}

// probe asks for our SOA. The letters are random, as those of a CA's resolver.
func (c *Checker) probe(ctx context.Context, network string, addr netip.Addr) (*dns.Msg, error) {
	q := newQuery(randomLetters(c.Zone.Origin()), dns.TypeSOA)
	q.RecursionDesired = false
	q.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_NSID{Code: dns.EDNS0NSID}}
	m, err := c.once(ctx, network, c.at(addr), q)
	if err == nil && m.Question[0].Name != q.Question[0].Name {
		return m, errLetters
	}
	return m, err
}

var errLetters = errors.New("changed the letters of the name in the question")

// randomLetters writes each letter in upper or lower case, and not all in lower.
func randomLetters(name string) string {
	b := []byte(name)
	for i, letter := range b {
		if 'a' <= letter && letter <= 'z' && (i == 0 || rand.IntN(2) == 0) { //nolint:gosec // no secret
			b[i] -= 'a' - 'A'
		}
	}
	return string(b)
}

// judgeServer says what is wrong with an answer.
func (c *Checker) judgeServer(ctx context.Context, s server, m *dns.Msg) (out []Finding) {
	origin := c.Zone.Origin()
	add := func(check, wanted, seen, hint string) {
		out = append(out, Finding{Check: check, Subject: s.String(), Status: Failed, Wanted: wanted, Seen: seen, Hint: hint})
	}
	soa := find[*dns.SOA](m.Answer, origin)
	if m.Rcode != dns.RcodeSuccess || !m.Authoritative || len(soa) == 0 {
		add(serverNotAuthoritative, "an authoritative answer with the SOA of "+origin, describe(m),
			fmt.Sprintf("Point %s at %s: the server at %s does not serve %s.", s.name, c.serving(s.name), s.addr, origin))
		return out
	}
	if len(c.Nameservers) > 0 && plain(soa[0].Ns) != c.Nameservers[0].Name {
		add(serverOther, "SOA with "+c.Nameservers[0].Name, "SOA with "+plain(soa[0].Ns),
			fmt.Sprintf("Give every Signpost the same --zone and --nameserver flags, in the same order: the one at %s has others.", s.addr))
		return out
	}
	if m.IsEdns0() == nil {
		add(serverEDNS, "EDNS with 1232 octets", "an answer without EDNS",
			fmt.Sprintf("Remove whatever rewrites DNS messages in front of %s: Signpost itself answers with EDNS.", s.addr))
	}
	if ns, err := c.askServer(ctx, s.addr, origin, dns.TypeNS); err == nil && len(c.Nameservers) > 0 {
		if got := "NS " + nameList(find[*dns.NS](ns.Answer, origin)); got != c.wantedNS() {
			add(serverNS, c.wantedNS(), got,
				fmt.Sprintf("Give every Signpost the same --nameserver flags: the one at %s has others.", s.addr))
		}
	}
	return out
}

func describe(m *dns.Msg) string {
	switch {
	case m.Rcode != dns.RcodeSuccess:
		return rcode(m)
	case !m.Authoritative:
		return "an answer that is not authoritative"
	}
	return "an answer without the SOA"
}

// identity is what the server calls itself (RFC 5001).
func identity(m *dns.Msg) string {
	if opt := m.IsEdns0(); opt != nil {
		for _, o := range opt.Option {
			if n, ok := o.(*dns.EDNS0_NSID); ok && n.Nsid != "" {
				if b, err := hex.DecodeString(n.Nsid); err == nil {
					return fmt.Sprintf(", as %q", b)
				}
			}
		}
	}
	return ""
}

func family(a netip.Addr) string {
	if a.Is4() {
		return "IPv4"
	}
	return "IPv6"
}

func addressList(addrs []netip.Addr) string {
	var list []string
	for _, a := range addrs {
		list = append(list, a.String())
	}
	return sorted(list)
}

func wantedAddresses(addrs []netip.Addr) string {
	if len(addrs) == 0 {
		return "addresses, and no CNAME"
	}
	return "addresses " + addressList(addrs)
}

// addressRecords names the records that a nameserver needs.
func addressRecords(ns zone.Nameserver) string {
	if len(ns.Addresses) == 0 {
		return "the record " + ns.Name + " A"
	}
	var list []string
	for _, a := range ns.Addresses {
		kind := "A"
		if a.Is6() {
			kind = "AAAA"
		}
		list = append(list, fmt.Sprintf("%s %s %s", ns.Name, kind, a))
	}
	return strings.Join(list, " and ")
}

func sameAddresses(a, b []netip.Addr) bool { return addressList(a) == addressList(b) }

func union(a, b []netip.Addr) []netip.Addr {
	out := append(slices.Clone(a), b...)
	slices.SortFunc(out, netip.Addr.Compare)
	return slices.Compact(out)
}
