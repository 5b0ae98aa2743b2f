// Package gate decides whether cert-manager may create an Order: only when the
// owner of every domain in it has added the record for the Order's scope. It also
// follows the requests that wait for a record, and nudges cert-manager when the
// record appears. It may import zone, check and cluster; its proof is in its tests
// and in test/e2e.
package gate

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/singleflight"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/zone"
)

const (
	// fresh is how old a look may be that lets an Order through: what it saw is what
	// the CA will see. A renewal with a reused authorization has no other check. It
	// counts from the look's end: the look at a domain with slow DNS servers takes
	// longer than this.
	fresh = 5 * time.Second

	// sharing bounds what it may take to share a look, or to ask for shared ones. A
	// review holds one of cert-manager's five workers.
	sharing = 100 * time.Millisecond

	// lookTimeout bounds a look; see check.Checker.Look.
	lookTimeout = 12 * time.Second

	// together is how many names of one request are looked at together. When one of
	// them does not permit, the rest need no look. The looks of all names have to be
	// fresh in the end.
	together = 34

	maxLooks = 50_000    // remembered
	forget   = time.Hour // after which a look is not worth remembering
)

// Shared is where replicas tell each other which records they have just seen. See
// store.Store. Calls are bounded in time by ctx.
type Shared interface {
	Vouch(ctx context.Context, id uuid.UUID, lifetime time.Duration) error
	Vouched(ctx context.Context, ids []uuid.UUID) ([]bool, error)
}

// Look looks whether the owner's record of a domain is there for a scope, as a CA
// sees it. See check.Checker.Look.
type Look func(ctx context.Context, scope, domain string) check.Finding

// Looks looks at owners' records, and remembers what it saw and when. Its methods
// may be called from many goroutines.
type Looks struct {
	// Delegated says whether resolvers are led to our zone at all; nil for taking that
	// for granted. Where it is Failed no record of an owner permits anything: what the
	// CA asks would not reach us. See check.Checker.Delegated.
	Delegated func(ctx context.Context) check.Finding

	look    Look
	changed Changed
	shared  Shared
	now     func() time.Time

	flights singleflight.Group
	mu      sync.Mutex
	known   map[uuid.UUID]seen
}

// seen is what a look found, and when it ended.
type seen struct {
	finding check.Finding
	at      time.Time
	zone    bool // the finding is about our zone; the owner's record is there
}

// NewLooks returns Looks that remember nothing yet.
func NewLooks(look Look, changed Changed, shared Shared) *Looks {
	return &Looks{look: look, changed: changed, shared: shared, now: time.Now, known: map[uuid.UUID]seen{}}
}

// Changed reports, at little cost, whether a look may find something else than it did
// the last time. See check.Checker.Changed.
type Changed func(ctx context.Context, t zone.Target) bool

// Now looks at a target's record, and tells the other replicas if it is there. A
// look that is under way already is shared.
func (l *Looks) Now(ctx context.Context, t zone.Target) check.Finding {
	result := l.flights.DoChan(t.ID.String(), func() (any, error) {
		// Detached from this caller's context: others may wait for the same look.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookTimeout)
		defer cancel()
		s := seen{finding: l.look(ctx, t.Scope, t.Domain)}
		if s.finding.Permits() {
			if f := l.delegated(ctx); f.Status == check.Failed {
				s.finding, s.zone = f, true
			}
		}
		s.at = l.now()
		l.remember(t.ID, s)
		f := s.finding
		if f.Permits() {
			l.vouch(ctx, t)
		}
		return f, nil
	})
	select {
	case r := <-result:
		return r.Val.(check.Finding)
	case <-ctx.Done():
		return check.Finding{Check: "cname-unknown", Subject: t.Challenge, Status: check.Unknown,
			Wanted: "CNAME " + t.Name, Seen: "no answer in time", Hint: "Make the domain's DNS servers answer."}
	}
}

// Within returns what a look found that saw the record no longer than age ago, and
// looks again if there was none.
func (l *Looks) Within(ctx context.Context, t zone.Target, age time.Duration) check.Finding {
	if s, ok := l.recall(t.ID); ok && s.finding.Permits() && l.now().Sub(s.at) < age {
		return s.finding
	}
	return l.Now(ctx, t)
}

// again is Within for a record that is looked at every few seconds: one that was
// missing is asked about at little cost before it is looked at again.
func (l *Looks) again(ctx context.Context, t zone.Target) check.Finding {
	if s, ok := l.recall(t.ID); ok && s.finding.Status == check.Failed && !l.news(ctx, t, s) {
		return s.finding
	}
	return l.Within(ctx, t, time.Second)
}

// news reports, at little cost, whether what kept a record from permitting anything
// may be over.
func (l *Looks) news(ctx context.Context, t zone.Target, s seen) bool {
	if s.zone {
		return l.delegated(ctx).Status != check.Failed
	}
	return l.changed(ctx, t)
}

func (l *Looks) delegated(ctx context.Context) check.Finding {
	if l.Delegated == nil {
		return check.Finding{Status: check.Unknown}
	}
	return l.Delegated(ctx)
}

// All looks at all targets, and returns the finding for the first of them that does
// not permit; ok is true if all permit.
func (l *Looks) All(ctx context.Context, targets []zone.Target) (worst check.Finding, ok bool) {
	for some := range slices.Chunk(targets, together) {
		findings := make([]check.Finding, len(some))
		var wg sync.WaitGroup
		for i, t := range some {
			wg.Go(func() { findings[i] = l.again(ctx, t) })
		}
		wg.Wait()
		for _, f := range findings {
			if !f.Permits() {
				return f, false
			}
		}
	}
	return worst, true
}

// Fresh reports whether the record of every target has been seen just now, by this
// replica or another. It starts no look, and waits for no longer than sharing.
func (l *Looks) Fresh(ctx context.Context, targets []zone.Target) bool {
	var others []uuid.UUID
	for _, t := range targets {
		if s, ok := l.recall(t.ID); !ok || !s.finding.Permits() || l.now().Sub(s.at) >= fresh {
			others = append(others, t.ID)
		}
	}
	if len(others) == 0 {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, sharing)
	defer cancel()
	vouched, err := l.shared.Vouched(ctx, others)
	if err != nil {
		return false // already logged by the store
	}
	return !slices.Contains(vouched, false)
}

func (l *Looks) vouch(ctx context.Context, t zone.Target) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sharing)
	defer cancel()
	_ = l.shared.Vouch(ctx, t.ID, fresh) // best effort: else the others look for themselves
}

func (l *Looks) recall(id uuid.UUID) (seen, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, ok := l.known[id]
	return s, ok
}

func (l *Looks) remember(id uuid.UUID, s seen) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.known[id]; !known && len(l.known) >= maxLooks {
		for id, old := range l.known { // a tenth at once, so that this is rare
			if s.at.Sub(old.at) > forget || len(l.known) > maxLooks*9/10 {
				delete(l.known, id)
			}
		}
	}
	l.known[id] = s
}
