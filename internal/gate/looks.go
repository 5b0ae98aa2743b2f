// Package gate decides whether cert-manager may create an Order: only when the
// owner of every domain in it has added the record for the Order's scope. It also
// looks after the requests that wait for a record. It may import zone, check and
// cluster; its proof is in its tests and in test/e2e.
package gate

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/zone"
)

const (
	// fresh is how old a look may be that lets an Order through: what it saw is what
	// the CA will see. A renewal with a reused authorization has no other check.
	fresh = 5 * time.Second

	// sharing bounds what it may take to share a look, or to ask for shared ones. A
	// review holds one of cert-manager's five workers.
	sharing = 100 * time.Millisecond

	// lookTimeout bounds a look; see check.Checker.Look.
	lookTimeout = 12 * time.Second

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
	look   Look
	shared Shared
	now    func() time.Time

	flights singleflight.Group
	mu      sync.Mutex
	known   map[uuid.UUID]seen
}

// seen is what a look found. It counts from when it began.
type seen struct {
	finding check.Finding
	began   time.Time
}

// NewLooks returns one that knows nothing.
func NewLooks(look Look, shared Shared) *Looks {
	return &Looks{look: look, shared: shared, now: time.Now, known: map[uuid.UUID]seen{}}
}

// Permits reports whether a finding lets an Order through.
func Permits(f check.Finding) bool { return f.Status == check.OK || f.Status == check.Warning }

// Now looks at a target's record, and tells the other replicas if it is there. A
// look that is under way already is shared, as long as that is no older than a
// fresh one may be.
func (l *Looks) Now(ctx context.Context, t zone.Target) check.Finding {
	result := l.flights.DoChan(t.ID.String(), func() (any, error) {
		// Not of this caller's context: others may wait for the same look.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookTimeout)
		defer cancel()
		began := l.now()
		f := l.look(ctx, t.Scope, t.Domain)
		l.remember(t.ID, seen{f, began})
		if Permits(f) {
			l.vouch(ctx, t, began)
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
	if s, ok := l.recall(t.ID); ok && Permits(s.finding) && l.now().Sub(s.began) < age {
		return s.finding
	}
	return l.Now(ctx, t)
}

// All looks at all targets at once, and returns the first finding that does not
// permit; ok is true if there is none.
func (l *Looks) All(ctx context.Context, targets []zone.Target) (worst check.Finding, ok bool) {
	findings := make([]check.Finding, len(targets))
	var group errgroup.Group
	for i, t := range targets {
		group.Go(func() error { findings[i] = l.Within(ctx, t, time.Second); return nil })
	}
	_ = group.Wait() // none of them returns an error
	for _, f := range findings {
		if !Permits(f) {
			return f, false
		}
	}
	return worst, true
}

// Fresh reports whether the record of every target has been seen just now, by this
// replica or another. It starts no look, and waits for no longer than sharing.
func (l *Looks) Fresh(ctx context.Context, targets []zone.Target) bool {
	var others []uuid.UUID
	for _, t := range targets {
		if s, ok := l.recall(t.ID); !ok || !Permits(s.finding) || l.now().Sub(s.began) >= fresh {
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
	for _, yes := range vouched {
		if !yes {
			return false
		}
	}
	return true
}

func (l *Looks) vouch(ctx context.Context, t zone.Target, began time.Time) {
	ctx, cancel := context.WithTimeout(ctx, sharing)
	defer cancel()
	if left := fresh - l.now().Sub(began); left > 0 {
		_ = l.shared.Vouch(ctx, t.ID, left) // best effort: else the others look for themselves
	}
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
	if len(l.known) >= maxLooks {
		for id, old := range l.known {
			if s.began.Sub(old.began) > forget || len(l.known) >= maxLooks {
				delete(l.known, id)
			}
		}
	}
	l.known[id] = s
}
