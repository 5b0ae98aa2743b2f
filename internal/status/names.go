package status

import (
	"strings"

	"github.com/signpost-acme/signpost/internal/zone"
)

// named is what follows from a name alone. It is never changed.
type named struct {
	key     string // Domain.key
	target  zone.Target
	unicode string // where it differs
	record  zone.Record
}

// domain returns the entry for it, without what is known of it.
func (n *named) domain() Domain {
	t := &n.target
	return Domain{Name: t.Domain, Unicode: n.unicode, Scope: t.Scope, Record: n.record, id: t.ID}
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

// of returns nil for a name that no certificate could be issued for. A domain and its
// wildcard are one.
func (n *names) of(scope, name string) *named {
	if apex, wildcard := strings.CutPrefix(name, "*."); wildcard && !zone.IsWildcard(apex) {
		name = apex
	}
	k := nameIn{scope, name}
	if known, ok := n.now[k]; ok {
		return known
	}
	known, ok := n.before[k]
	if !ok {
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
	known := &named{key: k.scope + "/" + target.Domain, target: target, record: target.Record()}
	if u := zone.Unicode(target.Domain); u != target.Domain {
		known.unicode = u
	}
	return known
}
