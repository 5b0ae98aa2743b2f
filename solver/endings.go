package solver

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// endings knows for which domains Orders have been ended lately. Behind a gate that
// works the next Order comes only when the record is there. Where the API server
// does not ask the gate it comes at once, and each is one more at the CA, which
// allows an account few: so the second ending of a domain waits, the third longer.
// The zero value knows none.
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
// takes it that it is. For the same Challenge it may be repeated.
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
