package status

import (
	"context"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/signpost-acme/signpost/internal/check"
)

const (
	domainInterval  = 10 * time.Second // between two checks of a domain whose CNAME is not there
	settledInterval = 5 * time.Minute  // of one whose is
	missingInterval = 30 * time.Minute // of one whose is not, and at which nothing has changed: see check.Checker.Changed
	serverInterval  = 30 * time.Second // of the delegation
	checksAtOnce    = 8
	checkTimeout    = 20 * time.Second
)

// checked is what a check found, and when it is due again.
type checked struct {
	findings []check.Finding
	next     time.Time
	running  bool
	full     time.Time // when everything was checked last
}

// checkServer checks the delegation, if that is due.
func (c *Collector) checkServer(ctx context.Context, checks *errgroup.Group) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.server.running || time.Now().Before(c.server.next) {
		return
	}
	c.server.running = checks.TryGo(func() error {
		ctx, cancel := context.WithTimeout(ctx, checkTimeout)
		defer cancel()
		findings := c.Checker.Delegation(ctx)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.server = checked{findings: findings, next: time.Now().Add(serverInterval)}
		c.note(theServer, findings)
		return nil
	})
}

// checkDomains checks those that are due, a few at a time, and forgets those that
// no Certificate and no Challenge has any more. cas are who issues for them.
func (c *Collector) checkDomains(ctx context.Context, domains []Domain, cas map[string]ca, checks *errgroup.Group) {
	c.mu.Lock()
	defer c.mu.Unlock()
	wanted := map[string]bool{}
	byTurn := slices.Clone(domains) // those first that have waited the longest: everybody gets a turn
	slices.SortStableFunc(byTurn, func(a, b Domain) int { return c.domain[a.key()].next.Compare(c.domain[b.key()].next) })
	for _, d := range byTurn {
		key := d.key()
		wanted[key] = true
		known := c.domain[key]
		if known.running || time.Now().Before(known.next) {
			continue
		}
		if known.running = checks.TryGo(func() error { c.checkDomain(ctx, d, cas[key]); return nil }); known.running {
			c.domain[key] = known
		} // else in a later round
	}
	maps.DeleteFunc(c.domain, func(key string, known checked) bool { return !wanted[key] && !known.running })
}

func (c *Collector) checkDomain(ctx context.Context, d Domain, issuer ca) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	if c.unchanged(ctx, d) {
		return
	}
	findings := c.Checker.Domain(ctx, d.Scope, d.Name, check.CA{Identities: c.cas.identities(ctx, issuer.directory), AccountURI: issuer.account})
	pause := settledInterval
	if slices.ContainsFunc(findings, func(f check.Finding) bool { return !f.Permits() }) {
		pause = domainInterval
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.domain[d.key()] = checked{findings: findings, next: time.Now().Add(pause), full: time.Now()}
	c.note(d.key(), findings)
}

// unchanged reports whether a domain whose record was missing is as it was, for the
// price of one question, and puts its next check off then.
func (c *Collector) unchanged(ctx context.Context, d Domain) bool {
	c.mu.Lock()
	known := c.domain[d.key()]
	c.mu.Unlock()
	target, err := c.Zone.Target(d.Scope, d.Name)
	if err != nil || len(known.findings) == 0 || known.findings[0].Status != check.Failed || time.Since(known.full) > missingInterval || c.Checker.Changed(ctx, target) {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	known.next, known.running = time.Now().Add(domainInterval), false
	c.domain[d.key()] = known
	c.noteUnchanged(d.key())
	return true
}
