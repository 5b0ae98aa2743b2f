package check

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/miekg/dns"
)

// maxServers bounds how many addresses of one set of NS records are asked.
const maxServers = 8

// server is one address of an authoritative server.
type server struct {
	name string
	addr netip.Addr
}

func (s server) String() string { return s.name + " (" + s.addr.String() + ")" }

// zoneOf returns the apex of the zone that name is in, "" for the root.
func zoneOf(ctx context.Context, ask asker, name string) (string, error) {
	for at := name; at != ""; {
		m, err := ask(ctx, at, dns.TypeSOA)
		if err != nil {
			return "", err
		}
		if len(find[*dns.SOA](m.Answer, at)) > 0 {
			return at, nil
		}
		for _, rr := range m.Ns {
			if soa, ok := rr.(*dns.SOA); ok && len(m.Answer) == 0 && dns.IsSubDomain(soa.Hdr.Name, dns.Fqdn(at)) {
				return plain(soa.Hdr.Name), nil
			}
		}
		_, at, _ = strings.Cut(at, ".")
	}
	return "", errors.New("no zone was found that it is in")
}

// serversOf returns the servers of the zone at apex, in an order that does not
// change. There is an error if there are none.
func serversOf(ctx context.Context, ask asker, apex string) ([]server, error) {
	m, err := ask(ctx, apex, dns.TypeNS)
	if err != nil {
		return nil, err
	}
	return serversNamed(ctx, ask, apex, names(find[*dns.NS](m.Answer, apex)), nil)
}

// serversNamed returns at most maxServers addresses of the nameservers in list,
// those of glue without asking. Every nameserver is there with its first address
// before any with its second, and IPv4 goes before IPv6: the order is always the
// same. There is an error if there are none.
func serversNamed(ctx context.Context, ask asker, apex string, list []string, glue map[string][]netip.Addr) ([]server, error) {
	slices.Sort(list)
	list = slices.Compact(list)
	list = list[:min(len(list), maxServers)]
	addrs := make([][]netip.Addr, len(list))
	var wg sync.WaitGroup
	for i, name := range list {
		if addrs[i] = glue[name]; len(addrs[i]) == 0 {
			wg.Go(func() { addrs[i], _, _ = addresses(ctx, ask, name) }) // without it, the others may do
		}
	}
	wg.Wait()
	var out []server
	for n, more := 0, true; more && len(out) < maxServers; n++ {
		more = false
		for i, name := range list {
			if n < len(addrs[i]) && len(out) < maxServers {
				out, more = append(out, server{name, addrs[i][n]}), true
			}
		}
	}
	if len(out) == 0 {
		return nil, errors.New("none of the servers of " + zoneName(apex) + " has an address")
	}
	return out, nil
}

// zoneName is how people write an apex.
func zoneName(apex string) string {
	if apex == "" {
		return "the root zone"
	}
	return apex
}

// addresses returns the addresses of a host, in order, and the name that it is a
// CNAME to, "" if it is none.
func addresses(ctx context.Context, ask asker, host string) (out []netip.Addr, alias string, err error) {
	answers := make([]*dns.Msg, 2)
	errs := make([]error, 2)
	var wg sync.WaitGroup
	for i, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
		wg.Go(func() { answers[i], errs[i] = ask(ctx, host, qtype) })
	}
	wg.Wait()
	for i, m := range answers {
		if errs[i] != nil {
			err = errs[i]
			continue
		}
		for _, rr := range m.Answer {
			switch rr := rr.(type) {
			case *dns.CNAME:
				if plain(rr.Hdr.Name) == host {
					alias = plain(rr.Target)
				}
			case *dns.A:
				out = appendAddr(out, rr.A)
			case *dns.AAAA:
				out = appendAddr(out, rr.AAAA)
			}
		}
	}
	if len(out) > 0 {
		err = nil
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return out, alias, err
}

func appendAddr(list []netip.Addr, ip []byte) []netip.Addr {
	if a, ok := netip.AddrFromSlice(ip); ok {
		return append(list, a.Unmap())
	}
	return list
}

// referral returns the NS records at name that an authoritative server of the
// zone above answers with: a referral, or an answer if it serves both zones.
func referral(m *dns.Msg, name string) []*dns.NS {
	return append(find[*dns.NS](m.Answer, name), find[*dns.NS](m.Ns, name)...)
}
