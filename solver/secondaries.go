package solver

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/internal/zone"
)

// secondaries are the servers that transfer the zone, by address. They are asked like
// our own, but by other words: a name without values does not exist there.
type secondaries struct {
	names  map[string]string // by address (host:port)
	serves Serves
}

// Secondaries has Present wait for the secondaries too, and CleanUp as far as it
// waits at all. It must be called before anything else.
func (s *Solver) Secondaries(list []zone.Secondary, serves Serves) {
	s.secondaries = secondaries{names: map[string]string{}, serves: serves}
	for _, secondary := range list {
		for _, server := range secondary.Servers {
			s.secondaries.names[server.String()] = secondary.Name
		}
	}
}

// with returns the servers with the secondaries among them.
func (l *secondaries) with(servers []string) []string {
	out := slices.Clone(servers)
	for address := range l.names {
		out = append(out, address)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// lagging returns the error for servers that do not answer with the new record, by
// address: the secondaries among them by name, if there are no others.
func (l *secondaries) lagging(causes map[string]error) error {
	var names []string
	for address := range causes {
		name, ok := l.names[address]
		if !ok {
			return errNotServed
		}
		names = append(names, fmt.Sprintf("%s (%s)", name, address))
	}
	slices.Sort(names)
	return fmt.Errorf("%w: %s", errSecondary, strings.Join(names, ", "))
}

// SecondaryServes implements Serves for a secondary: it asks over UDP and, when the
// value is there, over TCP too, since a CA may come either way.
func SecondaryServes(ctx context.Context, address, name, value string) (bool, error) {
	for _, network := range []string{"udp", "tcp"} {
		if ok, err := askSecondary(ctx, network, address, name, value); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

func askSecondary(ctx context.Context, network, address, name, value string) (bool, error) {
	q := question(name)
	m, err := exchange(ctx, network, q, address)
	if err == nil && m.Truncated {
		m, err = exchange(ctx, "tcp", q, address)
	}
	switch {
	case err != nil:
		return false, fmt.Errorf("secondary %s, over %s: %w", address, network, err)
	case m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError:
		return false, fmt.Errorf("secondary %s, over %s: answers %s", address, network, dns.RcodeToString[m.Rcode])
	case !m.Authoritative:
		return false, fmt.Errorf("secondary %s, over %s: is not authoritative for %s", address, network, name)
	}
	return hasTXT(m, value), nil
}
