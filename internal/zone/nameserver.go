package zone

import (
	"fmt"
	"net/netip"
	"strings"
)

// Nameserver is one nameserver of the zone, as its NS record names it.
type Nameserver struct {
	Name      string       // lower-case A-labels, no final dot
	Addresses []netip.Addr // IPv4 and IPv6; may be empty for a name outside the zone
}

// ParseNameserver parses "name" or "name=address,address". The name need not
// be inside the zone. The error says what is wrong with s.
func ParseNameserver(s string) (Nameserver, error) {
	host, list, hasAddresses := strings.Cut(s, "=")
	name, err := canonical(host)
	if err != nil {
		return Nameserver{}, fmt.Errorf("nameserver %q: %w", s, err)
	}
	ns := Nameserver{Name: name}
	if !hasAddresses {
		return ns, nil
	}
	for text := range strings.SplitSeq(list, ",") {
		addr, err := netip.ParseAddr(strings.TrimSpace(text))
		if err != nil || addr.Zone() != "" {
			return Nameserver{}, fmt.Errorf("nameserver %q: %q is not an IPv4 or IPv6 address; write name=address,address", s, text)
		}
		ns.Addresses = append(ns.Addresses, addr.Unmap())
	}
	return ns, nil
}

// Nameservers parses a list of nameservers and checks it against the zone: at
// least one, none twice, addresses for every name inside the zone (nobody but
// this server can answer for those), and none at a target-shaped name.
func (z *Zone) Nameservers(list []string) ([]Nameserver, error) {
	if len(list) == 0 {
		return nil, fmt.Errorf("a nameserver is needed: the name that the zone is delegated to, for example ns.%s", parent(z.origin))
	}
	seen := map[string]bool{}
	var out []Nameserver
	for _, s := range list {
		ns, err := ParseNameserver(s)
		if err != nil {
			return nil, err
		}
		if seen[ns.Name] {
			return nil, fmt.Errorf("nameserver %q: given twice", ns.Name)
		}
		seen[ns.Name] = true
		if z.Contains(ns.Name) {
			if err := z.checkInside(ns); err != nil {
				return nil, err
			}
		}
		out = append(out, ns)
	}
	return out, nil
}

func (z *Zone) checkInside(ns Nameserver) error {
	if ns.Name == z.origin {
		return fmt.Errorf("nameserver %q: is the zone itself; use a name of its own, for example ns.%s", ns.Name, z.origin)
	}
	if len(ns.Addresses) == 0 {
		return fmt.Errorf("nameserver %q: is inside the zone and needs its addresses: %s=192.0.2.1,2001:db8::1", ns.Name, ns.Name)
	}
	labels := strings.Split(strings.TrimSuffix(ns.Name, "."+z.origin), ".")
	if _, ok := ParseID(labels[len(labels)-1]); ok {
		return fmt.Errorf("nameserver %q: has the shape of a target name; choose another", ns.Name)
	}
	return nil
}

func parent(name string) string {
	_, rest, _ := strings.Cut(name, ".")
	return rest
}
