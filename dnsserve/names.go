package dnsserve

import (
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/internal/zone"
)

// kind is what a name is to the zone.
type kind uint8

const (
	outside     kind = iota // of the zone
	apex                    // the zone's origin
	nameserver              // a name that an in-zone NS record points at
	target                  // <uuid> directly below the origin
	branch                  // an empty non-terminal above a nameserver's name
	versionName             // zone.SerialName, where the zone is transferred
	nothing                 // in the zone: NXDOMAIN
)

// names tells names apart. It compares labels on the wire, folding only A to Z
// (RFC 4343), so that no presentation form can confuse it.
type names struct {
	origin []byte         // on the wire, lower case, with the root
	depth  int            // number of the origin's labels
	inner  map[string]int // wire labels between a name and the origin, to the index of the nameserver, or one of those below
}

const (
	branchIndex  = -1
	versionIndex = -2
)

func newNames(z *zone.Zone, nameservers []zone.Nameserver) (n names, err error) {
	n.inner = map[string]int{}
	n.depth = strings.Count(z.Origin(), ".") + 1
	if n.origin, err = wireName(z.Origin()); err != nil {
		return n, err
	}
	for i, ns := range nameservers {
		if !z.Contains(ns.Name) || ns.Name == z.Origin() {
			continue
		}
		prefix, err := wireName(strings.TrimSuffix(ns.Name, "."+z.Origin()))
		if err != nil {
			return n, err
		}
		prefix = prefix[:len(prefix)-1] // the root
		n.inner[string(prefix)] = i
		for above := prefix[1+prefix[0]:]; len(above) > 0; above = above[1+above[0]:] {
			if _, ok := n.inner[string(above)]; !ok {
				n.inner[string(above)] = branchIndex
			}
		}
	}
	return n, nil
}

// addVersion adds zone.SerialName.
func (n *names) addVersion(z *zone.Zone) error {
	prefix, err := wireName(strings.TrimSuffix(z.SerialName(), "."+z.Origin()))
	if err != nil {
		return err
	}
	n.inner[string(prefix[:len(prefix)-1])] = versionIndex
	return nil
}

// classify returns what the question's name is; for a target its UUID, for a
// nameserver its index.
func (n *names) classify(q *query) (k kind, id uuid.UUID, index int) {
	above := q.labels - n.depth
	if above < 0 {
		return outside, id, 0
	}
	name := q.name()
	cut := int(q.offsets[above]) // where the origin would begin; it has at least two labels
	if !equalFold(name[cut:], n.origin) {
		return outside, id, 0
	}
	if above == 0 {
		return apex, id, 0
	}
	if above == 1 {
		if id, ok := zone.ParseID(name[1:cut]); ok {
			return target, id, 0
		}
	}
	var lower [maxNameOctets]byte
	for i, c := range name[:cut] {
		lower[i] = fold(c)
	}
	index, ok := n.inner[string(lower[:cut])]
	switch {
	case !ok:
		return nothing, id, 0
	case index == branchIndex:
		return branch, id, 0
	case index == versionIndex:
		return versionName, id, 0
	}
	return nameserver, id, index
}

// equalFold reports whether name is lower, which is in lower case already.
// Lengths of labels are below 64 and so no letters.
func equalFold(name, lower []byte) bool {
	if len(name) != len(lower) {
		return false
	}
	for i, c := range name {
		if fold(c) != lower[i] {
			return false
		}
	}
	return true
}

// fold makes A to Z lower case. Without a branch: where resolvers randomise
// letters, half of them would be mispredicted.
func fold(c byte) byte { return c + byte((uint64(c-'A')-26)>>63<<5) }

// wireName packs a name in presentation form.
func wireName(name string) ([]byte, error) {
	buf := make([]byte, maxNameOctets+1)
	n, err := dns.PackDomainName(dns.Fqdn(name), buf, 0, nil, false)
	if err != nil {
		return nil, fmt.Errorf("name %q: %w", name, err)
	}
	return buf[:n], nil
}
