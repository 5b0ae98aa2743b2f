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
	serverInterval  = 30 * time.Second // of the delegation
	checksAtOnce    = 8
	checkTimeout    = 20 * time.Second
)

// checked is what a check found, and when it is due again.
type checked struct {
	findings []check.Finding
	next     time.Time
	running  bool
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
		return nil
	})
}

// checkDomains checks those that are due, a few at a time, and forgets those that
// no Certificate and no Challenge has any more. cas are who issues for them.
func (c *Collector) checkDomains(ctx context.Context, domains []Domain, cas map[string]ca, checks *errgroup.Group) {
	checker, ok := c.Checker.(*check.Checker)
	c.cas.use(c.Cluster.Certificates(), ok && checker.PrivateAddresses)
	c.mu.Lock()
	defer c.mu.Unlock()
	wanted := map[string]bool{}
	for _, d := range domains {
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
	findings := c.Checker.Domain(ctx, d.Scope, d.Name, check.CA{Identities: c.cas.identities(ctx, issuer.directory), AccountURI: issuer.account})
	pause := settledInterval
	if slices.ContainsFunc(findings, func(f check.Finding) bool { return f.Status == check.Failed || f.Status == check.Unknown }) {
		pause = domainInterval
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.domain[d.key()] = checked{findings: findings, next: time.Now().Add(pause)}
}
