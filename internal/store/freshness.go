package store

import (
	"sync"
	"time"

	"github.com/google/uuid"
)

// freshness decides whether this replica may say that a name has no values, and
// what it may believe of what Redis says. It does no I/O, starts no goroutine and has no
// clock: the loops in follow.go tell it what happened and when. What it answers is
// promised in docs/reliability.md; freshness_test.go has the cases as tables.
//
// There are two conditions for being fresh. Nothing may be missing from the copy as
// of a moment not long ago (completeAt): that is so when everything has been read,
// and goes on while a subscription that began before has told of all changes and
// these have been read. And the lease must last: the time for which the others wait
// for this replica before a challenge counts as presented. After a gap in the
// heartbeats a challenge may have been presented that this copy has not seen, until
// everything has been read again. A replica that never announced itself has no lease
// to lose, and no guarantee covers it.
//
// The store's identity tells whether Redis may have lost writes. Then the copy keeps
// what it has, for the watch to put back, and the list of replicas is not believed.
type freshness struct {
	mu sync.Mutex

	begun      time.Time // when the first loop began
	completeAt time.Time // the last moment as of which nothing is missing; zero before the first full read

	subscribedNow bool
	caughtUp      bool // everything was read since the subscription began: only what is in dirty can be missing
	session       int  // counts subscriptions that began or ended

	dirty    map[uuid.UUID]struct{} // names that changed
	taken    []uuid.UUID            // of these, what is being read
	takenAt  time.Time
	takenAll bool

	scanWanted  bool
	scanAt      time.Time // when the last full read began
	scanSession int
	scannedAt   time.Time // when the last whole one ended

	leaseSent  time.Time // when the last heartbeat was sent that arrived
	leaseSince time.Time // from when on the heartbeats are without a gap; zero if there never was one

	id      identity
	lostAt  time.Time             // when the last loss was noticed
	changes [maxChanges]time.Time // when the server was another one, the latest first
}

// identity tells one store from another one, or from the same at another time. An
// empty field is not known, but for the store ID: that is gone.
type identity struct {
	storeID     string // random, in Redis: is gone when the data is
	process     string // run_id: is another one after a restart, which may have loaded an older snapshot, and after a fail-over
	replication string // master_replid: is another one when the data comes from another master
}

// followed says that a copy begins to follow: nothing is known about it.
func (f *freshness) followed(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.begun, f.completeAt, f.scanAt, f.scannedAt = now, time.Time{}, time.Time{}, time.Time{}
	f.subscribedNow, f.caughtUp, f.scanWanted = false, false, false
	f.session++
	f.dirty, f.taken = map[uuid.UUID]struct{}{}, nil
}

// subscribed says that a subscription has begun: changes may have been missed before it.
func (f *freshness) subscribed(time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.session++
	f.subscribedNow, f.caughtUp, f.scanWanted = true, false, true
}

// unsubscribed says that there is no subscription.
func (f *freshness) unsubscribed(time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.session++
	f.subscribedNow, f.caughtUp = false, false
}

// heard says that something came over the subscription: all changes before now are known.
func (f *freshness) heard(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.dirty) == 0 && len(f.taken) == 0 && f.caughtUp {
		f.complete(now)
	}
}

// changed says that names have changed.
func (f *freshness) changed(ids ...uuid.UUID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, id := range ids {
		f.dirty[id] = struct{}{}
	}
}

// take returns up to n names that changed, to be read; empty if none has.
// The caller reports with read before it takes more.
func (f *freshness) take(now time.Time, n int) []uuid.UUID {
	f.mu.Lock()
	defer f.mu.Unlock()
	ids := make([]uuid.UUID, 0, min(len(f.dirty), n))
	for id := range f.dirty {
		if len(ids) == n {
			break
		}
		ids = append(ids, id)
		delete(f.dirty, id)
	}
	f.taken, f.takenAt, f.takenAll = ids, now, len(f.dirty) == 0
	return ids
}

// read says whether what was taken is in the copy now; if not it is taken again.
func (f *freshness) read(ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !ok {
		for _, id := range f.taken {
			f.dirty[id] = struct{}{}
		}
	} else if f.takenAll && f.caughtUp {
		f.complete(f.takenAt)
	}
	f.taken = nil
}

// scanBegan says that a full read begins.
func (f *freshness) scanBegan(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.scanAt, f.scanSession, f.scanWanted = now, f.session, false
}

// scanned says that it has ended, and whether everything was read.
func (f *freshness) scanned(now time.Time, whole bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !whole {
		f.scanWanted = true
		return
	}
	f.scannedAt = now
	f.complete(f.scanAt)
	if f.subscribedNow {
		f.caughtUp = f.session == f.scanSession
	}
}

// announced says that a heartbeat has arrived, which was sent at a moment.
func (f *freshness) announced(sent, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.leaseSent.IsZero() && now.Sub(f.leaseSent) > leaseLifetime {
		f.leaseSince = now
	}
	f.leaseSent = sent
}

// saw says what identifies the store, and reports whether that means that it may
// have lost writes since it was last looked at. Where the server changes
// constantly, behind a proxy that spreads commands over several, only the store ID counts.
func (f *freshness) saw(id identity, now time.Time) (lost bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if id.process == "" {
		id.process, id.replication = f.id.process, f.id.replication
	}
	lost = f.id.storeID != "" && id.storeID != f.id.storeID
	if f.id.process != "" && (id.process != f.id.process || id.replication != f.id.replication) {
		oldest := f.changes[maxChanges-1]
		copy(f.changes[1:], f.changes[:])
		f.changes[0] = now
		lost = lost || oldest.IsZero() || now.Sub(oldest) >= changesTime
	}
	if lost {
		f.lostAt = now
	}
	f.id = id
	return lost
}

// Fresh reports whether the copy may be believed when it has nothing.
func (f *freshness) Fresh(now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.completeAt.IsZero() || now.Sub(f.completeAt) > freshFor:
		return false
	case f.leaseSent.IsZero():
		return true
	default:
		return now.Sub(f.leaseSent) <= leaseLifetime && !f.completeAt.Before(f.leaseSince)
	}
}

// Keep reports whether values stay in the copy that a full read does not see.
func (f *freshness) Keep(now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lostWithin(now, restoreTime)
}

// ReplicasKnown reports whether the store's list of replicas may be believed.
func (f *freshness) ReplicasKnown(now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.lostWithin(now, announcedAgain)
}

// ScanDue reports whether everything is to be read. The first time that waits for
// a subscription, but not for long; values that were kept are dropped by a full
// read that begins when they need not be kept any more.
func (f *freshness) ScanDue(now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	last := f.scanAt
	if last.IsZero() {
		last = f.begun
	}
	kept := !f.lostAt.IsZero() && f.scanAt.Before(f.lostAt.Add(restoreTime))
	return f.scanWanted ||
		!f.subscribedNow && now.Sub(last) >= deafInterval ||
		kept && !f.lostWithin(now, restoreTime) ||
		!f.scannedAt.IsZero() && now.Sub(f.scannedAt) >= resyncInterval
}

// The following are called with mu held.

func (f *freshness) complete(at time.Time) {
	if at.After(f.completeAt) {
		f.completeAt = at
	}
}

func (f *freshness) lostWithin(now time.Time, d time.Duration) bool {
	return !f.lostAt.IsZero() && now.Sub(f.lostAt) < d
}
