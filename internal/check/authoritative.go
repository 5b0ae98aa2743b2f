package check

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// maxServers bounds how many addresses of a foreign zone's servers are asked.
const maxServers = 8

// server is one address of an authoritative server.
type server struct {
	name string
	addr netip.Addr
}

func (s server) String() string { return s.name + " (" + s.addr.String() + ")" }

// zoneOf returns the apex of the zone that name is in.
func (c *Checker) zoneOf(ctx context.Context, name string) (string, error) {
	for at := name; at != ""; {
		m, err := c.ask(ctx, at, dns.TypeSOA)
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
func (c *Checker) serversOf(ctx context.Context, apex string) ([]server, error) {
	m, err := c.ask(ctx, apex, dns.TypeNS)
	if err != nil {
		return nil, err
	}
	list := names(find[*dns.NS](m.Answer, apex))
	slices.Sort(list)
	var out []server
	for _, name := range list {
		addrs, _, err := c.addresses(ctx, name)
		if err != nil {
			continue // the others may do
		}
		for _, a := range addrs {
			if len(out) < maxServers {
				out = append(out, server{name, a})
			}
		}
	}
	if len(out) == 0 {
		return nil, errors.New("none of the servers of " + apex + " has an address")
	}
	return out, nil
}

// addresses returns the addresses of a host, in order, and the name that it is a
// CNAME to, "" if it is none.
func (c *Checker) addresses(ctx context.Context, host string) (out []netip.Addr, alias string, err error) {
	for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
		m, askErr := c.ask(ctx, host, qtype)
		if askErr != nil {
			err = askErr
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
