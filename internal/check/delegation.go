package check

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/internal/zone"
)

// Delegation checks that the world finds our DNS servers: the NS records at the
// parent, no DS there, glue, the nameservers' names, and each address over UDP
// and TCP.
func (c *Checker) Delegation(ctx context.Context) []Finding {
	ctx, cancel := c.bound(ctx, queriesOfOthers)
	defer cancel()
	out, parent, signed := c.parent(ctx)
	nameservers := c.Nameservers
	if len(nameservers) == 0 && parent != nil {
		for _, name := range names(referral(parent, c.Zone.Origin())) {
			nameservers = append(nameservers, zone.Nameserver{Name: name})
		}
	}
	found, servers := make([][]Finding, len(nameservers)), make([][]string, len(nameservers))
	var copies []Finding
	var wg sync.WaitGroup
	wg.Go(func() { copies = c.secondaries(ctx, signed) })
	for i, ns := range nameservers {
		wg.Go(func() {
			results, addrs := c.nameserver(ctx, ns, parent)
			each := make([][]Finding, len(addrs))
			var inner sync.WaitGroup
			for j, a := range addrs {
				servers[i] = append(servers[i], c.at(a))
				inner.Go(func() { each[j] = c.server(ctx, server{ns.Name, a}) })
			}
			inner.Wait()
			found[i] = append(results, slices.Concat(each...)...)
		})
	}
	wg.Wait()
	if signed != nil {
		for _, s := range c.Secondaries {
			for _, at := range s.Servers {
				servers = append(servers, []string{at.String()})
			}
		}
		out = append(out, c.ds(ctx, signed.records, signed.apex, slices.Concat(servers...))...)
	}
	return slices.Concat(out, slices.Concat(found...), copies)
}

// atParent is what the zone above says about signatures.
type atParent struct {
	apex    string // of the zone above
	records []*dns.DS
}

// parent asks the servers of the zone above ours for the delegation, and returns
// the answer and the DS records too, nil if there was none.
func (c *Checker) parent(ctx context.Context) ([]Finding, *dns.Msg, *atParent) {
	origin, above := c.Zone.Origin(), c.above()
	r := Finding{Check: delegationUnknown, Subject: origin, Status: Unknown, Wanted: c.wantedNS()}
	apex, err := zoneOf(ctx, c.ask, above)
	var servers []server
	if err == nil {
		servers, err = serversOf(ctx, c.ask, apex)
	}
	if err != nil {
		r.Seen = err.Error()
		r.Hint = fmt.Sprintf("Make the resolver answer for %s, the zone above, or choose another resolver with --resolver address:port.", above)
		return []Finding{r}, nil, nil
	}
	var tries []string
	for _, s := range servers {
		m, err := c.askServer(ctx, s.addr, origin, dns.TypeNS)
		if err == nil && m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError {
			err = fmt.Errorf("answered %s", rcode(m))
		}
		if err != nil {
			tries = append(tries, fmt.Sprintf("%s %v", s, err))
			continue
		}
		out := []Finding{c.compareNS(m, apex)}
		ds, err := c.askServer(ctx, s.addr, origin, dns.TypeDS)
		if err != nil {
			return out, m, nil
		}
		return out, m, &atParent{apex, find[*dns.DS](ds.Answer, origin)}
	}
	r.Seen = sorted(tries)
	r.Hint = fmt.Sprintf("Find out why the DNS servers of %s do not answer, and try again.", apex)
	return []Finding{r}, nil, nil
}

func (c *Checker) wantedNS() string {
	var list []string
	for _, ns := range c.Nameservers {
		list = append(list, ns.Name)
	}
	if len(list) == 0 {
		return "NS"
	}
	return "NS " + sorted(list)
}

// compareNS compares the NS records at the parent with ours.
func (c *Checker) compareNS(m *dns.Msg, apex string) Finding {
	origin := c.Zone.Origin()
	at := names(referral(m, origin))
	r := Finding{Check: delegationFine, Subject: origin, Status: OK, Wanted: c.wantedNS(), Seen: "NS " + sorted(at)}
	var missing, surplus, add []string
	for _, ns := range c.Nameservers {
		if !slices.Contains(at, ns.Name) {
			missing = append(missing, ns.Name)
			add = append(add, fmt.Sprintf("%s NS %s", origin, ns.Name))
		}
	}
	for _, name := range at {
		if !slices.ContainsFunc(c.Nameservers, func(ns zone.Nameserver) bool { return ns.Name == name }) {
			surplus = append(surplus, name)
		}
	}
	switch {
	case len(at) == 0:
		r.Check, r.Status, r.Seen = delegationMissing, Failed, "no NS records"
		r.Hint = fmt.Sprintf("Add %s at the DNS provider of %s.", strings.Join(add, " and "), apex)
		if len(add) == 0 {
			r.Hint = fmt.Sprintf("Add the record %s NS with the name of Signpost's DNS server at the DNS provider of %s.", origin, apex)
		}
	case len(c.Nameservers) == 0:
	case len(missing) > 0:
		r.Check, r.Status = delegationDiffers, Failed
		r.Hint = fmt.Sprintf("Add %s at the DNS provider of %s.", strings.Join(add, " and "), apex)
		if len(surplus) > 0 {
			r.Hint = fmt.Sprintf("Add %s at the DNS provider of %s, and remove %s NS %s.", strings.Join(add, " and "), apex, origin, sorted(surplus))
		}
	case len(surplus) > 0:
		r.Check, r.Status = delegationDiffers, Failed
		r.Hint = fmt.Sprintf("Remove %s NS %s at the DNS provider of %s, or give Signpost that nameserver with --nameserver.", origin, sorted(surplus), apex)
	}
	return r
}

// nameserver checks the name of one nameserver, and returns the addresses to ask.
func (c *Checker) nameserver(ctx context.Context, ns zone.Nameserver, parent *dns.Msg) ([]Finding, []netip.Addr) {
	if c.Zone.Contains(ns.Name) {
		return c.glue(ns, parent)
	}
	r := Finding{Check: nameserverFine, Subject: ns.Name, Status: OK, Wanted: wantedAddresses(ns.Addresses)}
	addrs, alias, err := addresses(ctx, c.ask, ns.Name)
	r.Seen = "addresses " + addressList(addrs)
	switch {
	case err != nil:
		r.Check, r.Status, r.Seen = nameserverUnknown, Unknown, err.Error()
		r.Hint = fmt.Sprintf("Make the resolver answer for %s, or choose another resolver with --resolver address:port.", ns.Name)
	case alias != "":
		r.Check, r.Status, r.Seen = nameserverCNAME, Failed, "CNAME "+alias
		r.Hint = fmt.Sprintf("Replace the CNAME at %s by A or AAAA records with fixed addresses: a nameserver's name must not be a CNAME (RFC 2181 section 10.3).", ns.Name)
	case len(addrs) == 0:
		r.Check, r.Status, r.Seen = nameserverMissing, Failed, "no addresses"
		r.Hint = fmt.Sprintf("Add %s with the external address of %s.", addressRecords(ns), c.serving(ns.Name))
	case c.unreachable(&r, ns, addrs):
	case len(ns.Addresses) > 0 && !sameAddresses(addrs, ns.Addresses):
		r.Check, r.Status = nameserverDiffers, Failed
		r.Hint = fmt.Sprintf("Change the addresses to %s, and no others.", addressRecords(ns))
	}
	return []Finding{r}, union(addrs, ns.Addresses)
}

// glue checks what the parent says about a nameserver inside our zone: nobody
// could ask us for the address.
func (c *Checker) glue(ns zone.Nameserver, parent *dns.Msg) ([]Finding, []netip.Addr) {
	if parent == nil || !slices.Contains(names(referral(parent, c.Zone.Origin())), ns.Name) {
		return nil, ns.Addresses // said already
	}
	var addrs []netip.Addr
	for _, rr := range find[*dns.A](parent.Extra, ns.Name) {
		addrs = appendAddr(addrs, rr.A)
	}
	for _, rr := range find[*dns.AAAA](parent.Extra, ns.Name) {
		addrs = appendAddr(addrs, rr.AAAA)
	}
	r := Finding{Check: nameserverFine, Subject: ns.Name, Status: OK, Wanted: wantedAddresses(ns.Addresses), Seen: "glue " + addressList(addrs)}
	switch {
	case len(addrs) == 0:
		r.Check, r.Status, r.Seen = glueMissing, Failed, "no glue"
		r.Hint = fmt.Sprintf("Add %s beside the NS record, as glue: the name is inside the zone that it serves.", addressRecords(ns))
	case c.unreachable(&r, ns, addrs):
	case len(ns.Addresses) > 0 && !sameAddresses(addrs, ns.Addresses):
		r.Check, r.Status = glueDiffers, Failed
		r.Hint = fmt.Sprintf("Change the glue beside the NS record to %s, and no others.", addressRecords(ns))
	}
	return []Finding{r}, union(addrs, ns.Addresses)
}

// unreachable makes r say that the Internet cannot reach the addresses that a
// nameserver should have, or has if nobody says which, and reports whether it did.
func (c *Checker) unreachable(r *Finding, ns zone.Nameserver, seen []netip.Addr) bool {
	wanted := ns.Addresses
	if len(wanted) == 0 {
		wanted = seen
	}
	var list []string
	for _, a := range wanted {
		if why := zone.Unreachable(a); why != "" {
			list = append(list, fmt.Sprintf("%s, which is %s", a, why))
		}
	}
	if len(list) == 0 || c.PrivateAddresses {
		return false
	}
	r.Check, r.Status, r.Wanted, r.Seen = nameserverPrivate, Failed, "addresses that the Internet reaches", "addresses "+sorted(list)
	r.Hint = fmt.Sprintf("Give %s A or AAAA records with an address of %s that the Internet reaches, or use --private-addresses if your CA is your own.", ns.Name, c.serving(ns.Name))
	return true
}
