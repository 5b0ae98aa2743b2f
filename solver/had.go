package solver

import (
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/internal/store"
)

// had knows the values that Challenges of this cluster have had, seen by its watch.
// Only those may be removed without a call of CleanUp: another cluster may have
// values under the same names in the same store. The zero value knows none.
type had struct {
	mu   sync.Mutex
	what map[value]*holding
}

type value struct {
	id  uuid.UUID // of the target
	key string
}

// holding is what is known about a value.
type holding struct {
	scope, domain string
	seen          time.Time // when a Challenge had it last
	checks        int       // since then, of whether it is gone
}

// leftAfter is how long after the end of a value's Challenge it is looked for. The
// first is when no Present of before can be under way, the last when no network
// delivers a command of before any more: a connection that its owner has given up
// goes on for some minutes.
var leftAfter = []time.Duration{3 * presentTimeout, 3 * time.Minute, 10 * time.Minute}

// maxHad bounds it. What is forgotten too early stays in the store until it expires.
const maxHad = 20_000

// note notes that a Challenge has a value.
func (h *had) note(v value, c cluster.Challenge) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.what == nil {
		h.what = map[value]*holding{}
	}
	known := h.what[v]
	if known == nil {
		for old := range h.what {
			if len(h.what) < maxHad {
				break
			}
			delete(h.what, old)
		}
		known = &holding{scope: c.Scope, domain: c.Domain}
		h.what[v] = known
	}
	known.seen, known.checks = time.Now(), 0
}

// knows reports whether a Challenge of this cluster has had that value.
func (h *had) knows(v value) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.what[v] != nil
}

// due returns the values that are to be looked for now, because their Challenges
// have ended, and forgets those that no store can have any more.
func (h *had) due() map[value]holding {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := map[value]holding{}
	for v, known := range h.what {
		switch ago := time.Since(known.seen); {
		case ago > store.Lifetime:
			delete(h.what, v)
		case known.checks < len(leftAfter) && ago >= leftAfter[known.checks]:
			list[v] = *known
		}
	}
	return list
}

// checked says that a value was looked for.
func (h *had) checked(v value) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if known := h.what[v]; known != nil {
		for known.checks < len(leftAfter) && time.Since(known.seen) >= leftAfter[known.checks] {
			known.checks++
		}
	}
}
