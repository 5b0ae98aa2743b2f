package status

import (
	"strings"

	"github.com/signpost-acme/signpost/internal/zone"
)

// named is what follows from a name alone. It is never changed.
type named struct {
	domain Domain // without what is known of it
	key    string
	target zone.Target
}

type nameIn struct{ scope, name string }

// names remembers what follows from the names that there are: it costs more than all
// else in a round, and is always the same. Touched by Collector.Run alone.
type names struct {
	zone        *zone.Zone
	before, now map[nameIn]*named // nil values for names that no certificate could be issued for
}

// next begins a round: what is not asked for until done is forgotten.
func (n *names) next() {
	n.before, n.now = n.now, make(map[nameIn]*named, len(n.now))
}

// done ends a round: all that it asked for is remembered.
func (n *names) done() { n.before = nil }

// of returns nil for a name that no certificate could be issued for.
func (n *names) of(scope, name string) *named {
	k := nameIn{scope, name}
	if known, ok := n.now[k]; ok {
		return known
	}
	known, ok := n.before[k]
	if apex, wildcard := strings.CutPrefix(name, "*."); wildcard && !ok && !zone.IsWildcard(apex) {
		known = n.of(scope, apex) // the same
	} else if !ok {
		known = n.derive(k)
	}
	n.now[k] = known
	return known
}

func (n *names) derive(k nameIn) *named {
	target, err := n.zone.Target(k.scope, k.name)
	if err != nil {
		return nil
	}
	d := Domain{Name: target.Domain, Scope: k.scope, Record: target.Record(), id: target.ID}
	if u := zone.Unicode(d.Name); u != d.Name {
		d.Unicode = u
	}
	return &named{domain: d, key: d.key(), target: target}
}
