package store

import (
	"sync"
	"time"
)

// leaseLifetime is how long after a heartbeat this replica relies on the others to
// wait for it: for less than they do (HeartbeatLifetime), by its own clock from
// before the heartbeat was sent.
const leaseLifetime = HeartbeatLifetime - time.Second

// lease is this replica's side of its heartbeats. While it lasts, no challenge
// counts as presented that this replica does not answer. Without it some may, and
// this replica cannot tell that they are not there until it has read everything
// again, after the others have begun to wait for it again. A replica that has never
// announced itself has none, and nobody promises anything about it.
type lease struct {
	mu    sync.Mutex
	last  time.Time // when the last heartbeat was sent that arrived
	since time.Time // from when on the heartbeats are without a gap; zero if there never was one
}

// renew notes that a heartbeat, sent at a moment, has arrived.
func (l *lease) renew(sent time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.last.IsZero() && time.Since(l.last) > leaseLifetime {
		l.since = time.Now()
	}
	l.last = sent
}

// lapsed reports whether a challenge may count as presented that is not in a copy
// which was complete at a moment.
func (l *lease) lapsed(known time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.last.IsZero() && (time.Since(l.last) > leaseLifetime || known.Before(l.since))
}
