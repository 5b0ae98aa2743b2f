package status

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/signpost-acme/signpost/internal/check"
)

const (
	surveyAtOnce = 16          // domains that a Survey looks at in parallel
	surveyAgain  = time.Minute // for which a look that permits an issuance is believed by the next Survey
)

// Survey looks once at everything that Collector.Run would look at again and again, and
// waits for that: for a command. Config's Store and Copy are not asked, so that nothing
// is known of the store, the replicas, and who has asked for a challenge's record. With
// wanted, the Snapshot has only the domains that it returns true for; it looks at these,
// and at the others of their Certificates. looked, if not nil, is told how many are done, by one goroutine at a time. It
// must not be called beside Run, nor by two goroutines.
func (c *Collector) Survey(ctx context.Context, wanted func(Domain) bool, looked func(done, all int)) Snapshot {
	s := Snapshot{At: time.Now(), Version: c.Version, Zone: c.Zone.Origin(), Group: c.Group, Namespace: c.Namespace, Strict: c.Strict}
	domains, cas := c.domains(ctx, false)
	domains, count := chosen(domains, wanted)
	var group errgroup.Group
	group.SetLimit(surveyAtOnce)
	group.Go(func() error {
		s.Server = c.Checker.Delegation(ctx)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.note(theServer, s.Server)
		return nil
	})
	var mu sync.Mutex
	done := 0
	for i := range domains {
		group.Go(func() error {
			c.survey(ctx, &domains[i], cas[domains[i].key()])
			mu.Lock()
			defer mu.Unlock()
			if done++; looked != nil {
				looked(done, len(domains))
			}
			return nil
		})
	}
	_ = group.Wait() // none of them returns an error
	c.mu.Lock()
	defer c.mu.Unlock()
	s.Doubt = c.memory.doubt(theServer)
	for i := range domains {
		domains[i].Doubt = c.memory.doubt(domains[i].key())
	}
	Foresee(domains, s.At)
	s.Domains = domains[:count:count]
	return s
}

// chosen returns the domains that are wanted, first, and after these count the others
// that a Certificate of theirs is for: its forecast depends on them.
func chosen(all []Domain, wanted func(Domain) bool) (domains []Domain, count int) {
	if wanted == nil {
		return all, len(all)
	}
	certificates := map[certificateKey]bool{}
	var others []Domain
	for _, d := range all {
		if !wanted(d) {
			others = append(others, d)
			continue
		}
		domains = append(domains, d)
		for _, c := range d.Certificates {
			certificates[certificateKey{c.Namespace, c.Name}] = true
		}
	}
	count = len(domains)
	for _, d := range others {
		if slices.ContainsFunc(d.Certificates, func(c Certificate) bool { return certificates[certificateKey{c.Namespace, c.Name}] }) {
			domains = append(domains, d)
		}
	}
	return domains, count
}

// survey looks at one domain, unless that was done lately and it was well.
func (c *Collector) survey(ctx context.Context, d *Domain, issuer ca) {
	c.mu.Lock()
	known := c.memory[d.key()]
	c.mu.Unlock()
	if known != nil && known.since.IsZero() && verdictOf(&Domain{Checks: known.known}).state == OK && time.Since(known.knownAt) < surveyAgain {
		d.Checks, d.CheckedAt = known.known, known.knownAt
		return
	}
	if ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	d.Checks = c.Checker.Domain(ctx, d.Scope, d.Name, check.CA{Identities: c.cas.identities(ctx, issuer.directory), AccountURI: issuer.account})
	d.CheckedAt = time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.note(d.key(), d.Checks)
}
