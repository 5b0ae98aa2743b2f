package status

import (
	"context"
	"maps"
	"slices"

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

// domains returns the domains of all Certificates and Challenges that use us,
// sorted, and their CAs by Domain.key; only these CAs are asked for their names. With
// ask, the store is asked who has looked for the Challenges' records.
func (c *Collector) domains(ctx context.Context, ask bool) ([]Domain, map[string]ca) {
	c.names.next()
	found := make(map[string]*Domain, len(c.wishes))
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
			if shown.Asked, ask = c.asked(ctx, target); ask && c.History != nil {
				c.History.Asked(target.ID, shown.Asked)
			}
		}
		d.Challenges = append(d.Challenges, shown)
	}
	for _, r := range c.Cluster.Requests() {
		if !r.Denied && r.Refused == "" {
			continue
		}
		for _, t := range r.Targets {
			if d, _ := c.domainOf(found, t.Scope, t.Domain); d != nil {
				d.Requests = append(d.Requests, Request{Namespace: r.Namespace, Name: r.Name, Since: r.Since, Refused: r.Refused, Certificate: r.Certificate})
			}
		}
	}
	var list []Domain
	for _, key := range slices.Sorted(maps.Keys(found)) {
		d := *found[key]
		d.History = c.History.Of(d.id)
		list = append(list, d)
	}
	return list, cas
}

// domainOf returns the entry for a name in found, made if need be; nil for a name
// that no certificate could be issued for.
func (c *Collector) domainOf(found map[string]*Domain, scope, name string) (*Domain, zone.Target) {
	n := c.names.of(scope, name)
	if n == nil {
		return nil, zone.Target{}
	}
	d := found[n.key]
	if d == nil {
		d = new(Domain)
		*d = n.domain
		found[n.key] = d
	}
	return d, n.target
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
