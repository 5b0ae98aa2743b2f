package status

import (
	"context"
	"slices"
	"strings"

	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/internal/zone"
)

// ca is who issues for a domain.
type ca struct {
	directory, account string
	several            bool // its Certificates have others too
}

// key tells domains apart: the same one may be wanted in several scopes.
func (d Domain) key() string { return d.Scope + "/" + d.Name }

// entries are the domains of one round.
type entries struct {
	names *names
	list  []Domain
	at    map[string]int // in list, by Domain.key
}

// newEntries begins with the domains that there were before, in their order: most are
// there still, and then nothing is sorted.
func newEntries(n *names, before []Domain) *entries {
	e := &entries{names: n, list: make([]Domain, 0, len(before)), at: make(map[string]int, len(before))}
	for i := range before {
		if known := n.of(before[i].Scope, before[i].Name); known != nil {
			e.add(known)
		}
	}
	return e
}

func (e *entries) add(n *named) int {
	e.at[n.key] = len(e.list)
	e.list = append(e.list, n.domain())
	return len(e.list) - 1
}

// of returns the place of the entry for a name, made if need be; ok false for a name
// that no certificate could be issued for.
func (e *entries) of(scope, name string) (place int, n *named, ok bool) {
	if n = e.names.of(scope, name); n == nil {
		return 0, nil, false
	}
	place, known := e.at[n.key]
	if !known {
		place = e.add(n)
	}
	return place, n, true
}

// wanted returns those that something is known of, sorted by Domain.key.
func (e *entries) wanted() []Domain {
	list := slices.DeleteFunc(e.list, func(d Domain) bool { return len(d.Certificates)+len(d.Challenges)+len(d.Requests) == 0 })
	byKey := func(a, b Domain) int {
		if a.Scope == b.Scope {
			return strings.Compare(a.Name, b.Name)
		}
		return strings.Compare(a.key(), b.key())
	}
	if !slices.IsSortedFunc(list, byKey) {
		slices.SortFunc(list, byKey)
	}
	return list
}

// domains returns the domains of all Certificates and Challenges that use us,
// sorted, and their CAs by Domain.key; only these CAs are asked for their names. With
// ask, the store is asked who has looked for the Challenges' records.
func (c *Collector) domains(ctx context.Context, ask bool) ([]Domain, map[string]ca) {
	c.names.next()
	found := newEntries(&c.names, c.Snapshot().Domains)
	cas := make(map[string]ca, len(found.list))
	certificates := c.Cluster.Certificates()
	c.cas.use(certificates, c.PrivateAddresses)
	for i := range certificates {
		c.addCertificate(found, cas, &certificates[i])
	}
	for _, challenge := range c.Cluster.Challenges() {
		place, n, ok := found.of(challenge.Scope, challenge.Domain)
		if !ok {
			continue
		}
		shown := challengeOf(challenge)
		if !challenge.Presented {
			shown.HeldBy = c.Cluster.Holder(challenge)
		}
		if ask {
			if shown.Asked, ask = c.asked(ctx, n.target); ask && c.History != nil {
				c.History.Asked(n.target.ID, shown.Asked)
			}
		}
		d := &found.list[place]
		d.Challenges = append(d.Challenges, shown)
	}
	for _, r := range c.Cluster.Requests() {
		if !r.Denied && r.Refused == "" {
			continue
		}
		for _, t := range r.Targets {
			if place, _, ok := found.of(t.Scope, t.Domain); ok {
				d := &found.list[place]
				d.Requests = append(d.Requests, Request{Namespace: r.Namespace, Name: r.Name, Since: r.Since, Refused: r.Refused, Certificate: r.Certificate})
			}
		}
	}
	list := found.wanted()
	for i := range list {
		list[i].History = c.History.Of(list[i].id)
	}
	return list, cas
}

// addCertificate adds a Certificate to each of its domains, once.
func (c *Collector) addCertificate(found *entries, cas map[string]ca, certificate *cluster.Certificate) {
	var seen []int
	for _, name := range certificate.DNSNames {
		place, n, ok := found.of(certificate.Scope, name)
		if !ok || slices.Contains(seen, place) {
			continue
		}
		seen = append(seen, place)
		d := &found.list[place]
		of, known := cas[n.key], len(d.Certificates) > 0
		several := of.several || known && (of.directory != certificate.Directory || of.account != certificate.Account)
		cas[n.key] = ca{certificate.Directory, certificate.Account, several}
		d.Certificates = append(d.Certificates, Certificate{
			Namespace: certificate.Namespace, Name: certificate.Name, Secret: certificate.Secret, DNSNames: certificate.DNSNames,
			Issuer: certificate.Issuer, Ready: certificate.Ready, Reason: certificate.Reason,
			NotAfter: certificate.NotAfter, RenewalTime: certificate.RenewalTime,
		})
	}
}

// dnsNameOf is what a Challenge is for, with "*." if that is the wildcard.
func dnsNameOf(c cluster.Challenge) string {
	if c.Wildcard {
		return "*." + c.Domain
	}
	return c.Domain
}

func challengeOf(c cluster.Challenge) Challenge {
	return Challenge{
		Namespace: c.Namespace, Name: c.Name, DNSName: dnsNameOf(c), Since: c.Since,
		State: c.State, Reason: c.Reason, Presented: c.Presented,
	}
}

// asked returns how often a target was asked for, over all replicas. It returns ok
// false if the store cannot tell: each call may take seconds then, and the others
// of the same round would take as long.
func (c *Collector) asked(ctx context.Context, target zone.Target) (out Asked, ok bool) {
	counts, err := c.Store.Asked(ctx, target.ID)
	if err != nil { // already logged by the store
		return out, false
	}
	return askedOf(counts), true
}
