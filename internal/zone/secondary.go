package zone

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Secondary is a server that transfers the zone from Signpost and answers for it.
type Secondary struct {
	Nameserver

	// Servers are its addresses with the ports at which it answers.
	Servers []netip.AddrPort

	// Notify is where it wants to hear of changes (RFC 1996); never empty.
	Notify []netip.AddrPort

	// Keys are the names of the TSIG keys that it may use, in lower case without the
	// final dot; the first signs what we send. Without keys its address has to do.
	Keys []string
}

// dnsPort is the port of a DNS server that names none.
const dnsPort = 53

var errSecondaryForm = errors.New("write name=address,address,key=NAME,notify=address, where an address may have a port, and key= and notify= may be missing")

// ParseSecondary parses "name=address,address,key=NAME,notify=address". Key and
// notify may repeat or be missing; an address may have a port, as 192.0.2.1:5353 and
// [2001:db8::1]:5353. The error says what is wrong with s.
func ParseSecondary(s string) (Secondary, error) {
	host, list, ok := strings.Cut(s, "=")
	if first, _, _ := strings.Cut(host, ","); first != host || isServer(first) {
		return Secondary{}, fmt.Errorf("secondary %q: has no name; %w", s, errSecondaryForm)
	}
	if !ok {
		return Secondary{}, fmt.Errorf("secondary %q: has no address; %w", s, errSecondaryForm)
	}
	name, err := canonical(host)
	if err != nil {
		return Secondary{}, fmt.Errorf("secondary %q: %w", s, err)
	}
	out := Secondary{Nameserver: Nameserver{Name: name}}
	for text := range strings.SplitSeq(list, ",") {
		if err := out.add(strings.TrimSpace(text)); err != nil {
			return Secondary{}, fmt.Errorf("secondary %q: %w", s, err)
		}
	}
	if len(out.Servers) == 0 {
		return Secondary{}, fmt.Errorf("secondary %q: has no address; %w", s, errSecondaryForm)
	}
	if len(out.Notify) == 0 {
		out.Notify = out.Servers
	}
	return out, nil
}

// add adds one part of what follows the name.
func (s *Secondary) add(text string) error {
	if key, ok := strings.CutPrefix(text, "key="); ok {
		name := strings.ToLower(strings.TrimSuffix(key, "."))
		if name == "" {
			return errors.New("key= is without a name")
		}
		if slices.Contains(s.Keys, name) {
			return fmt.Errorf("key %q is given twice", name)
		}
		s.Keys = append(s.Keys, name)
		return nil
	}
	where, notify := strings.CutPrefix(text, "notify=")
	if part, _, ok := strings.Cut(where, "="); ok {
		return fmt.Errorf("there is no part %s=; %w", part, errSecondaryForm)
	}
	server, err := ParseServer(where)
	if err != nil {
		return fmt.Errorf("%w; %w", err, errSecondaryForm)
	}
	if notify {
		s.Notify = append(s.Notify, server)
		return nil
	}
	if slices.Contains(s.Servers, server) {
		return fmt.Errorf("address %s is given twice", where)
	}
	s.Servers = append(s.Servers, server)
	if !slices.Contains(s.Addresses, server.Addr()) {
		s.Addresses = append(s.Addresses, server.Addr())
	}
	return nil
}

// ParseServer parses the address of a DNS server, with or without a port: 192.0.2.1,
// 192.0.2.1:5353, 2001:db8::1 and [2001:db8::1]:5353.
func ParseServer(text string) (netip.AddrPort, error) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		return netip.AddrPortFrom(a.Unmap(), dnsPort), nil
	}
	if a, err := netip.ParseAddrPort(text); err == nil && a.Addr().Zone() == "" && a.Port() != 0 {
		return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()), nil
	}
	return netip.AddrPort{}, fmt.Errorf("%q is not an IPv4 or IPv6 address, with or without a port", text)
}

func isServer(text string) bool {
	_, err := ParseServer(text)
	return err == nil
}

// SerialName returns the name at which a zone that is transferred has the serial of its
// version, as a TXT record in decimal. A secondary that signs has SOA serials of its own,
// but hands this one on. It is no target name, and no nameserver's.
func (z *Zone) SerialName() string { return "_serial." + z.origin }

// SerialText is the value of the record at SerialName.
func SerialText(serial uint32) string { return strconv.FormatUint(uint64(serial), 10) }

// ParseSerial reads the character-strings of that record.
func ParseSerial(txt []string) (serial uint32, err error) {
	n, err := strconv.ParseUint(strings.Join(txt, ""), 10, 32)
	return uint32(n), err
}

// Peers are all addresses at which a secondary answers or hears of changes.
func (s Secondary) Peers() []netip.AddrPort { return slices.Concat(s.Servers, s.Notify) }

// Secondaries parses a list of secondaries, none of them twice.
func (z *Zone) Secondaries(list []string) (out []Secondary, err error) {
	seen := map[string]bool{}
	for _, text := range list {
		s, err := ParseSecondary(text)
		if err != nil {
			return nil, err
		}
		if seen[s.Name] {
			return nil, fmt.Errorf("secondary %q: given twice; write all its addresses behind one name", s.Name)
		}
		seen[s.Name] = true
		if z.Contains(s.Name) {
			if err := z.checkInside(s.Nameserver); err != nil {
				return nil, err
			}
		}
		out = append(out, s)
	}
	return out, nil
}

// WithSecondaries returns all nameservers of the zone: those of the list, which may
// be empty where there is a secondary, and behind them the secondaries that are not
// among them. See Nameservers for what may be in the list.
func (z *Zone) WithSecondaries(list []string, secondaries []Secondary) (out []Nameserver, err error) {
	if len(list) > 0 || len(secondaries) == 0 {
		if out, err = z.Nameservers(list); err != nil {
			return nil, err
		}
	}
	for _, s := range secondaries {
		if !slices.ContainsFunc(out, func(ns Nameserver) bool { return ns.Name == s.Name }) {
			out = append(out, s.Nameserver)
		}
	}
	if len(secondaries) == 0 {
		return out, nil
	}
	for _, ns := range out {
		if ns.Name == z.SerialName() || strings.HasSuffix(ns.Name, "."+z.SerialName()) {
			return nil, fmt.Errorf("nameserver %q: %s is the name of the record with the serial; choose another", ns.Name, z.SerialName())
		}
	}
	return out, nil
}
