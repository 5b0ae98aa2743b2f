package check

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sync/singleflight"

	"github.com/signpost-acme/signpost/internal/zone"
)

const (
	// delegatedLifetime is how long the zone's delegation is taken to be as it was
	// seen; undelegatedLifetime is that for one that is missing, which somebody may be
	// adding.
	delegatedLifetime   = time.Minute
	undelegatedLifetime = 5 * time.Second
)

// delegated remembers what Delegated found.
type delegated struct {
	flights singleflight.Group
	mu      sync.Mutex
	last    Finding
	until   time.Time
}

// Delegated says whether the world is led to our zone, as a CA sees it: at the own
// servers of the zone above. It is Failed only where no CA can get further, whatever
// our servers say: the zone above answers and has no NS records for ours, or our names
// are bogus to a validating resolver; Unknown where nobody there answers, and with
// ResolverOnly. It asks once a minute at most, every five seconds while it is Failed,
// and the caller waits for that only until it has been OK once.
func (c *Checker) Delegated(ctx context.Context) Finding {
	d := &c.delegated
	d.mu.Lock()
	last, current := d.last, time.Now().Before(d.until)
	d.mu.Unlock()
	if current {
		return last
	}
	result := d.flights.DoChan("", func() (any, error) {
		f, lifetime := c.seeDelegation(context.WithoutCancel(ctx)), delegatedLifetime // others wait for the same
		if f.Status == Failed {
			lifetime = undelegatedLifetime
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		d.last, d.until = f, time.Now().Add(lifetime)
		return f, nil
	})
	if last.Status == OK {
		return last
	}
	select {
	case r := <-result:
		return r.Val.(Finding)
	case <-ctx.Done():
		return Finding{Check: delegationUnknown, Subject: c.Zone.Origin(), Status: Unknown}
	}
}

func (c *Checker) seeDelegation(ctx context.Context) Finding {
	origin := c.Zone.Origin()
	f := Finding{Check: delegationUnknown, Subject: origin, Status: Unknown}
	if c.ResolverOnly {
		return f
	}
	ctx, cancel := c.bound(ctx, queriesOfCNAME)
	defer cancel()
	k := c.newLooking(lookingFor{}, "tcp")
	k.own = true
	p := &place{name: origin, depth: 1, base: zone.Registered(origin), asked: map[string]bool{}} // where it is cut, the walk ends
	k.walk(ctx, p)
	k.wg.Wait()
	switch {
	case len(p.cut) > 0:
		if k.bogusAt(ctx, origin) != "" {
			return c.signed("SERVFAIL with DNSSEC validation, and none without")
		}
		f.Check, f.Status = delegationFine, OK
	case slices.ContainsFunc(p.told, func(t told) bool { return t.lame == "" }):
		return c.compareNS(&dns.Msg{}, c.above())
	}
	return f
}

// above returns the name above our zone.
func (c *Checker) above() string {
	_, above, _ := strings.Cut(c.Zone.Origin(), ".")
	return above
}

// signed is for a DS record at the zone above ours.
func (c *Checker) signed(seen string) Finding {
	origin := c.Zone.Origin()
	return Finding{Check: delegationSigned, Subject: origin, Status: Failed, Wanted: "no DS", Seen: seen,
		Hint: fmt.Sprintf("Remove the DS record at %s from the zone %s: Signpost does not sign, so that with it every answer is taken for forged.", origin, c.above())}
}
