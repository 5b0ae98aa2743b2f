package status

import (
	"context"
	"maps"
	"slices"

	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/internal/store"
	"github.com/signpost-acme/signpost/internal/zone"
)

// ca is who issues for a domain.
type ca struct {
	directory, account string
	several            bool // its Certificates have others too
}

// key tells domains apart: the same one may be wanted in several scopes.
func (d Domain) key() string { return d.Scope + "/" + d.Name }

// domains returns the domains of all Certificates and Challenges that use us,
// sorted, and their CAs by Domain.key; only these CAs are asked for their names. With
// ask, the store is asked who has looked for the Challenges' records.
func (c *Collector) domains(ctx context.Context, ask bool) ([]Domain, map[string]ca) {
	found := map[string]*Domain{}
	cas := map[string]ca{}
	certificates := c.Cluster.Certificates()
	c.cas.use(certificates, c.PrivateAddresses)
	for _, certificate := range certificates {
		var seen []*Domain
		for _, name := range certificate.DNSNames {
			d, _ := c.domainOf(found, certificate.Scope, name)
			if d == nil || slices.Contains(seen, d) {
				continue
			}
			seen = append(seen, d)
			of, known := cas[d.key()], len(d.Certificates) > 0
			several := of.several || known && (of.directory != certificate.Directory || of.account != certificate.Account)
			cas[d.key()] = ca{certificate.Directory, certificate.Account, several}
			d.Certificates = append(d.Certificates, Certificate{
				Namespace: certificate.Namespace, Name: certificate.Name, Secret: certificate.Secret, DNSNames: certificate.DNSNames,
				Issuer: certificate.Issuer, Ready: certificate.Ready, Reason: certificate.Reason,
				NotAfter: certificate.NotAfter, RenewalTime: certificate.RenewalTime,
			})
		}
	}
	for _, challenge := range c.Cluster.Challenges() {
		d, target := c.domainOf(found, challenge.Scope, challenge.Domain)
		if d == nil {
			continue
		}
		shown := challengeOf(challenge)
		if !challenge.Presented {
			shown.HeldBy = c.Cluster.Holder(challenge)
		}
		if ask {
			shown.Asked, ask = c.asked(ctx, target)
		}
		d.Challenges = append(d.Challenges, shown)
	}
	for _, r := range c.Cluster.Requests() {
		if !r.Denied && r.Refused == "" {
			continue
		}
		for _, t := range r.Targets {
			if d, _ := c.domainOf(found, t.Scope, t.Domain); d != nil {
				d.Requests = append(d.Requests, Request{Namespace: r.Namespace, Name: r.Name, Since: r.Since, Refused: r.Refused})
			}
		}
	}
	var list []Domain
	for _, key := range slices.Sorted(maps.Keys(found)) {
		list = append(list, *found[key])
	}
	return list, cas
}

// domainOf returns the entry for a name in found, made if need be; nil for a name
// that no certificate could be issued for.
func (c *Collector) domainOf(found map[string]*Domain, scope, name string) (*Domain, zone.Target) {
	target, err := c.Zone.Target(scope, name)
	if err != nil {
		return nil, target
	}
	d := &Domain{Name: target.Domain, Scope: scope, Record: target.Record()}
	if known := found[d.key()]; known != nil {
		return known, target
	}
	if u := zone.Unicode(d.Name); u != d.Name {
		d.Unicode = u
	}
	found[d.key()] = d
	return d, target
}

func challengeOf(c cluster.Challenge) Challenge {
	name := c.Domain
	if c.Wildcard {
		name = "*." + name
	}
	return Challenge{
		Namespace: c.Namespace, Name: c.Name, DNSName: name, Since: c.Since,
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
	for network, n := range counts {
		out.Answered += n
		if network != store.OtherNetworks {
			out.Networks = append(out.Networks, network)
		}
	}
	slices.Sort(out.Networks)
	return out, true
}
