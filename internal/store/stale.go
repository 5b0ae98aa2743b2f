package store

import (
	"context"
	"time"
)

const (
	// staleAfter is how long a copy counts as complete without Redis, in any case;
	// for more see lease.
	staleAfter = HeartbeatLifetime - HeartbeatInterval - time.Second
	staleCheck = 100 * time.Millisecond
)

// touch notes that the copy was complete at a moment.
func (f *follower) touch(at time.Time) {
	d := int64(at.Sub(f.begin))
	for old := f.known.Load(); d > old && !f.known.CompareAndSwap(old, d); old = f.known.Load() {
		continue
	}
}

// alive notes that the subscription is. That does not make the copy complete while
// something is still to be read.
func (f *follower) alive() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.heard.Load() && len(f.dirty) == 0 && !f.busy {
		f.touch(time.Now())
	}
}

// expire says whether the copy is complete, until ctx is done.
func (f *follower) expire(ctx context.Context) {
	tick := time.NewTicker(staleCheck)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if f.stale() {
			f.copy.incomplete()
		} else if f.heard.Load() {
			f.copy.complete()
		}
	}
}

// stale reports whether something may be in Redis that is not in the copy.
func (f *follower) stale() bool {
	known := f.begin.Add(time.Duration(f.known.Load()))
	return time.Since(known) > staleAfter || f.lease.lapsed(known)
}
