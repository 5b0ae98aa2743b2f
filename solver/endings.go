package solver

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// endings limits how often Orders of one domain are ended, with back-off. Behind the
// gate the next Order is created only when the record is there. Where the API server
// does not ask the gate it is created at once, and CAs limit the new orders of an
// account. The zero value is empty.
type endings struct {
	mu   sync.Mutex
	what map[string]*ending // by scope/domain
}

type ending struct {
	uid  types.UID // of the last Challenge whose Order was ended
	next time.Time // when that of another may be
	gap  time.Duration
}

const (
	endGap    = endAfter
	maxEndGap = 6 * time.Hour
)

// may reports whether the Order of a Challenge for that domain may be ended now, and
// counts it as ended. For one Challenge it is idempotent.
func (e *endings) may(domain string, uid types.UID) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now()
	for d, old := range e.what {
		if now.Sub(old.next) > maxEndGap {
			delete(e.what, d)
		}
	}
	known := e.what[domain]
	switch {
	case known == nil:
		known = &ending{}
	case known.uid == uid:
		return true
	case now.Before(known.next):
		return false
	}
	known.uid, known.gap = uid, min(max(2*known.gap, endGap), maxEndGap)
	known.next = now.Add(known.gap)
	if e.what == nil {
		e.what = map[string]*ending{}
	}
	e.what[domain] = known
	return true
}
