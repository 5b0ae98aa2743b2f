package status

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/schedule"
)

const (
	serverInterval  = 30 * time.Second // between two checks of the delegation
	missingInterval = 30 * time.Minute // between two whole checks of a domain whose CNAME is not there, at which nothing has changed: see check.Checker.Changed
	checkTimeout    = 20 * time.Second
)

// checksAtOnce is how many there are at the same time: of domains that have just come,
// of others, and of those whose DNS servers do not answer.
var checksAtOnce = schedule.Limits{Urgent: 8, Regular: 16, Slow: 96}

// wish is a domain that is checked, and with what.
type wish struct {
	*named
	ca        ca
	attention attention
}

// checked is what a check found.
type checked struct {
	findings []check.Finding
	at       time.Time     // when; or when it was the same still
	full     time.Time     // when everything was checked last, by this replica
	bad      time.Time     // since when a certificate would not be issued; zero if it would
	slow     time.Duration // the pause, while servers do not answer
	told     time.Time     // when the other replicas were told
}

// wish takes over which domains there are, and makes this replica check those that are
// its own. cas are who issues for them.
func (c *Collector) wish(domains []Domain, cas map[string]ca) {
	now := time.Now()
	wishes, keys := make(map[string]wish, len(domains)), make(map[uuid.UUID]string, len(domains))
	for i := range domains {
		d := &domains[i]
		n := c.names.of(d.Scope, d.Name)
		wishes[n.key], keys[n.target.ID] = wish{n, cas[n.key], attentionOf(d)}, n.key
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	mine := map[string]bool{theServer: true}
	c.crowd = crowd{domains: len(wishes)}
	for _, known := range c.domain {
		if !known.bad.IsZero() {
			c.crowd.bad++
		}
	}
	c.turns.Add(theServer, 0)
	for key, w := range wishes {
		known, ok := c.domain[key]
		before := c.wishes[key]
		if !ok && before.named == nil {
			c.strangers = true
		}
		if mine[key] = c.Mine(key); !mine[key] {
			continue
		}
		if news := w.attention.waiting.IsZero() != before.attention.waiting.IsZero(); news && known.slow == 0 {
			c.turns.Urge(key)
			continue
		}
		due := time.Duration(0)
		if ok {
			due = max(0, known.at.Add(w.attention.pause(known, c.crowd, now)).Sub(now))
		}
		c.turns.Add(key, due)
	}
	c.turns.Keep(func(key string) bool { return mine[key] })
	for key := range c.domain {
		if _, wanted := wishes[key]; !wanted {
			delete(c.domain, key)
		}
	}
	c.memory.forget(func(subject string) bool { _, wanted := wishes[subject]; return wanted || subject == theServer })
	c.wishes, c.keys = wishes, keys
}

// check is a turn: of the delegation, or of a domain.
func (c *Collector) check(ctx context.Context, key string) schedule.Next {
	limited, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	if key == theServer {
		findings := c.Checker.Delegation(limited)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.server = findings
		c.note(theServer, findings)
		return schedule.Next{In: serverInterval}
	}
	c.mu.Lock()
	w, wanted := c.wishes[key]
	known := c.domain[key]
	c.mu.Unlock()
	if !wanted {
		return schedule.Next{Done: true}
	}
	same := c.unchanged(limited, w, known)
	findings := known.findings
	if !same {
		findings = c.Checker.Domain(limited, w.target.Scope, w.target.Domain, check.CA{Identities: c.cas.identities(limited, w.ca.directory), AccountURI: w.ca.account})
	}
	if ctx.Err() != nil { // it was ended, and has found nothing
		return schedule.Next{Done: true}
	}
	next, tell := c.found(key, w, findings, same)
	if tell != nil {
		c.tell(ctx, w, *tell)
	}
	return next
}

// unchanged reports whether a domain whose record was missing is as it was, for the
// price of one question.
func (c *Collector) unchanged(ctx context.Context, w wish, known checked) bool {
	return len(known.findings) > 0 && known.findings[0].Status == check.Failed && time.Since(known.full) < missingInterval && !c.Checker.Changed(ctx, w.target)
}

// found takes what a check has found, or that it is the same still. It returns when the
// next is due, and what the other replicas have to be told; nil for nothing.
func (c *Collector) found(key string, w wish, findings []check.Finding, same bool) (schedule.Next, *report) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.domain[key]
	news := !slices.Equal(known.findings, findings)
	c.news = c.news || news
	known.findings, known.at = findings, now
	if same {
		c.noteUnchanged(key)
	} else {
		known.full = now
		c.note(key, findings)
	}
	switch {
	case !slices.ContainsFunc(findings, func(f check.Finding) bool { return !f.Permits() }):
		known.bad = time.Time{}
	case known.bad.IsZero():
		known.bad = now
	}
	next := schedule.Next{In: w.attention.pause(known, c.crowd, now)}
	if next.Slow = len(findings) > 0 && findings[0].Status == check.Unknown; next.Slow {
		known.slow = min(max(2*known.slow, next.In), slowest)
		next.In = known.slow
	} else {
		known.slow = 0
	}
	var tell *report
	if news || now.Sub(known.told) > tellInterval {
		known.told = now
		tell = &report{At: now, Bad: known.bad, Findings: findings, Doubt: c.memory.doubt(key)}
	}
	c.domain[key] = known
	return next, tell
}
