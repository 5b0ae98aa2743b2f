package ownerpage

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/zone"
)

// Bounds over all visitors. A look takes up to some thirty queries, so that no more
// than looksAtOnce times thirty are under way; a domain costs some hundred octets.
const (
	looksAtOnce = 8
	maxDomains  = 1000

	wrongPause  = 2 * time.Second  // between two looks at a record that is not right
	rightPause  = 20 * time.Second // at one that is
	wholeLook   = 6 * time.Second  // after which a look is made although nothing has changed at the name itself
	lookTimeout = 12 * time.Second
)

// Pages of one domain that are made, over all its visitors: each asks every two
// seconds while it is open. So a link that is opened by thousands shuts out only those
// who have the same one.
const (
	pagesPerSecond = 20
	pagesAtOnce    = 60
)

// looks are what has been seen of the domains whose pages are open. Nobody waits for
// one: who comes first starts it, and all see it when it is done.
type looks struct {
	ctx   context.Context
	zone  *zone.Zone
	see   Looker
	slots chan struct{}

	mu      sync.Mutex
	domains map[string]*seen // by scope/domain
}

// seen is what is known of one domain.
type seen struct {
	check.Sight
	known   bool
	running bool
	whole   time.Time // when it was looked at last
	next    time.Time // when it may be again
	asked   time.Time // when somebody wanted to know last
	pages   *rate.Limiter
}

func newLooks(ctx context.Context, z *zone.Zone, see Looker) *looks {
	return &looks{ctx: ctx, zone: z, see: see, slots: make(chan struct{}, looksAtOnce), domains: map[string]*seen{}}
}

// of returns what was seen last of a domain, and starts another look if one is due and
// there is room; known is false before the first. ok is false if too many pages of this
// domain are asked for.
func (l *looks) of(scope, domain string) (sight check.Sight, known, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	s := l.entry(scope+"/"+domain, now)
	s.asked = now
	if !s.pages.AllowN(now, 1) {
		return check.Sight{}, false, false
	}
	if !s.running && !now.Before(s.next) {
		select {
		case l.slots <- struct{}{}:
			s.running = true
			go l.look(s, scope, domain, *s)
		default: // the next who asks tries again
		}
	}
	return s.Sight, s.known, true
}

// entry returns that of a domain, for which the one that was asked for least recently
// is forgotten if there are too many.
func (l *looks) entry(key string, now time.Time) *seen {
	if s := l.domains[key]; s != nil {
		return s
	}
	if len(l.domains) >= maxDomains {
		oldest := ""
		for k, s := range l.domains {
			if oldest == "" || s.asked.Before(l.domains[oldest].asked) {
				oldest = k
			}
		}
		delete(l.domains, oldest)
	}
	s := &seen{asked: now, pages: rate.NewLimiter(pagesPerSecond, pagesAtOnce)}
	l.domains[key] = s
	return s
}

// look looks once. before is what was known.
func (l *looks) look(s *seen, scope, domain string, before seen) {
	defer func() { <-l.slots }()
	ctx, cancel := context.WithTimeout(l.ctx, lookTimeout)
	defer cancel()
	after := before
	if !l.unchanged(ctx, scope, domain, before) {
		after.Sight, after.whole = l.see.See(ctx, scope, domain), time.Now()
	}
	pause := wrongPause
	if after.Status == check.OK {
		pause = rightPause
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s.Sight, s.whole, s.known, s.running, s.next = after.Sight, after.whole, true, false, time.Now().Add(pause)
}

// unchanged reports whether a record that was missing still is, for the price of one
// question.
func (l *looks) unchanged(ctx context.Context, scope, domain string, before seen) bool {
	if !before.known || before.Status != check.Failed || time.Since(before.whole) > wholeLook {
		return false
	}
	target, err := l.zone.Target(scope, domain)
	return err == nil && !l.see.Changed(ctx, target)
}
