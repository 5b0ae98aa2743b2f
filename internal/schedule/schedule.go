// Package schedule gives many pieces of work their turns: looks at domains, mostly,
// some of which wait for seconds for DNS servers that do not answer. Whoever is due
// first has the first turn, so that everybody gets one; what is urgent waits for
// nothing that is not, and what is slow holds up nobody else. It imports nothing of
// this project; its proof is in its tests.
package schedule

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// Limits are how many turns there may be at the same time: of work that is urgent, of
// work that is not, and of work that has been slow. None of them may be zero.
type Limits struct{ Urgent, Regular, Slow int }

// patience is how long a turn may take before it counts among the slow ones: of a
// domain that is new nobody knows that its servers are dead. Up to twice as many as the
// limit of these may be there then, for a turn of what has been slow before can wait.
const patience = time.Second

// together is how much earlier than it is due a turn may begin, so that turns which are
// due at nearly the same time need one wake-up: each costs as much as a question, for Go's
// runtime looks around every 20 µs for a while after it.
const together = 100 * time.Millisecond

// Next says when a piece of work has its next turn.
type Next struct {
	// In is counted from the end of this turn. Up to a tenth is added by chance, so
	// that work that began together does not stay together.
	In time.Duration

	// Exactly adds nothing to In, and takes nothing from it.
	Exactly bool

	// Slow work has waited for something that did not come.
	Slow bool

	// Done forgets the work.
	Done bool
}

// lane is a class of work with places of its own.
type lane int

const (
	urgent lane = iota
	regular
	slow
	lanes
)

// Schedule gives turns to pieces of work, each with a key. At most one turn at a time
// is of the same piece. Its methods may be called from many goroutines, also by a
// turn; none of them waits for a turn. Use New.
type Schedule[K comparable] struct {
	turn func(ctx context.Context, key K) Next
	wake chan struct{} // something may be due earlier than was thought

	mu      sync.Mutex
	items   map[K]*item[K]
	queues  [lanes]queue[K]
	running [lanes]int
	limits  [lanes]int
	next    time.Time // when Run looks again; zero for when it is woken
}

// item is a piece of work: in the queue of its lane, or having its turn.
type item[K comparable] struct {
	key     K
	lane    lane
	due     time.Time
	place   int // in the queue; -1 for none
	exact   bool
	again   bool
	removed bool
}

// New returns a Schedule without work. turn does a piece of it; many are called at the
// same time, of different pieces.
func New[K comparable](limits Limits, turn func(ctx context.Context, key K) Next) *Schedule[K] {
	return &Schedule[K]{turn: turn, wake: make(chan struct{}, 1), items: map[K]*item[K]{},
		limits: [lanes]int{urgent: limits.Urgent, regular: limits.Regular, slow: limits.Slow}}
}

// Urge gives a piece of work a turn as soon as possible, whether it is known or not.
// If it is having one, it has another afterwards. What has been slow stays in its lane.
func (s *Schedule[K]) Urge(key K) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.items[key]
	switch now := time.Now(); {
	case i == nil:
		s.put(&item[K]{key: key, lane: urgent, due: now})
	case i.place < 0:
		i.again, i.removed = true, false
	case i.lane != slow && i.lane != urgent:
		s.queues[i.lane].take(i)
		i.lane, i.due = urgent, now
		s.put(i)
	case i.due.After(now):
		s.queues[i.lane].take(i)
		i.due = now
		s.put(i)
	}
}

// Add gives a piece of work its first turn after some time; one that is known keeps
// the time that it has.
func (s *Schedule[K]) Add(key K, in time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.items[key]; i != nil {
		i.removed = false
		return
	}
	s.put(&item[K]{key: key, lane: regular, due: time.Now().Add(in)})
}

// Keep forgets all work for which keep, which must be quick, returns false. A turn that
// has begun is finished.
func (s *Schedule[K]) Keep(keep func(key K) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, i := range s.items {
		switch {
		case keep(key):
		case i.place < 0:
			i.removed = true
		default:
			s.queues[i.lane].take(i)
			delete(s.items, key)
		}
	}
}

// put queues an item. The lock is held.
func (s *Schedule[K]) put(i *item[K]) {
	s.items[i.key] = i
	s.queues[i.lane].add(i)
	if s.next.IsZero() || i.due.Before(s.next) {
		s.awake()
	}
}

func (s *Schedule[K]) awake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run gives turns until ctx is done, and then waits for those that have begun. It may
// be called once.
func (s *Schedule[K]) Run(ctx context.Context) {
	var turns sync.WaitGroup
	defer turns.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if ctx.Err() != nil {
			return
		}
		if wait, some := s.start(ctx, &turns); some {
			timer.Reset(wait)
		}
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-s.wake:
		}
	}
}

// start starts the turns that are due and for which there is a place. It returns how
// long it is until another is due, if there is one with a place.
func (s *Schedule[K]) start(ctx context.Context, turns *sync.WaitGroup) (wait time.Duration, some bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for l := range lanes {
		for s.running[l] < s.limits[l] && len(s.queues[l]) > 0 {
			i := s.queues[l][0]
			if d := i.due.Sub(now); d > together || i.exact && d > 0 {
				if !some || d < wait {
					wait, some = d, true
				}
				break
			}
			s.queues[l].take(i)
			s.running[l]++
			turns.Go(func() { s.have(ctx, i) })
		}
	}
	if s.next = (time.Time{}); some {
		s.next = now.Add(wait)
	}
	return wait, some
}

// have is one turn.
func (s *Schedule[K]) have(ctx context.Context, i *item[K]) {
	done := make(chan struct{})
	late := time.AfterFunc(patience, func() { s.late(i, done) })
	next := s.turn(ctx, i.key)
	late.Stop()
	close(done)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running[i.lane]--; s.running[i.lane] == s.limits[i.lane]-1 { // there is a place again
		defer s.awake()
	}
	if i.removed || next.Done && !i.again {
		delete(s.items, i.key)
		return
	}
	i.lane = regular
	if next.Slow {
		i.lane = slow
	}
	if i.exact = next.Exactly; !i.exact && next.In > 0 {
		next.In += rand.N(next.In/10 + 1) //nolint:gosec // nothing secret depends on it
	}
	if i.due = time.Now().Add(next.In); i.again {
		i.due = time.Now()
		if i.lane != slow {
			i.lane = urgent
		}
	}
	i.again = false
	s.put(i)
}

// late moves a turn that takes long among the slow ones, as soon as there is room.
func (s *Schedule[K]) late(i *item[K], done <-chan struct{}) {
	for !s.moved(i) {
		select {
		case <-done:
			return
		case <-time.After(patience):
		}
	}
}

// moved reports whether a turn need not be moved any more.
func (s *Schedule[K]) moved(i *item[K]) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case i.place >= 0 || s.items[i.key] != i || i.lane == slow: // it has ended, or is there
		return true
	case s.running[slow] >= 2*s.limits[slow]:
		return false
	}
	s.running[i.lane]--
	i.lane = slow
	s.running[slow]++
	s.awake()
	return true
}
