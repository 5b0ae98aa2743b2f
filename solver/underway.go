package solver

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/signpost-acme/signpost/internal/cluster"
)

const (
	// longPresent is when a Present has taken so long that the other replicas are told of
	// it. Most take milliseconds, and cost nothing.
	longPresent = 500 * time.Millisecond

	// noteTime is how long after such a Present cert-manager may take to note in the
	// Challenge's status how it ended.
	noteTime = 2 * time.Second
)

// underWay knows which challenges are being presented. A nudge changes the Challenge, and
// cert-manager, which has read it before it called Present, cannot write its status after:
// what Present has said would be lost, and Present be called again.
type underWay struct {
	mu   sync.Mutex
	what map[uuid.UUID]int // Presents of this replica
}

// presentingID names a challenge. It has no scope: with strict namespaces Present learns
// that late.
func presentingID(domain, key string) uuid.UUID {
	return uuid.NewSHA1(uuid.NameSpaceOID, []byte("presenting "+domain+"/"+key))
}

// present notes that a challenge is being presented, until done is called. Of a long
// Present the store is told, best effort: without, one nudge may be too early.
func (s *Solver) present(domain, key string) (done func()) {
	id := presentingID(domain, key)
	s.underWay.add(id, 1)
	told := make(chan struct{})
	tell := time.AfterFunc(longPresent, func() {
		defer close(told)
		_ = s.store.Vouch(context.Background(), id, presentTimeout+noteTime) // already logged by the store
	})
	return func() {
		if tell.Stop() {
			s.underWay.add(id, -1)
			return
		}
		time.AfterFunc(noteTime, func() { s.underWay.add(id, -1) })
		go func() { // cert-manager does not wait for this
			<-told
			_ = s.store.Vouch(context.Background(), id, noteTime)
		}()
	}
}

func (u *underWay) add(id uuid.UUID, n int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.what == nil {
		u.what = map[uuid.UUID]int{}
	}
	if u.what[id] += n; u.what[id] == 0 {
		delete(u.what, id)
	}
}

func (u *underWay) has(id uuid.UUID) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.what[id] > 0
}

// Presenting reports whether a challenge is being presented now: by this replica, or for
// longer than a moment by another one of those that share the store.
func (s *Solver) Presenting(ctx context.Context, c cluster.Challenge) bool {
	id := presentingID(c.Domain, c.Key)
	if s.underWay.has(id) {
		return true
	}
	yes, err := s.store.Vouched(ctx, []uuid.UUID{id})
	return err == nil && yes[0]
}
