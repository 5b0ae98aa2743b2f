package schedule

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// log is when turns began, since the test did.
type log struct {
	mu    sync.Mutex
	began time.Time
	turns map[int][]time.Duration
	now   map[int]bool
	most  int
}

// scheduled runs a Schedule in a bubble with its own clock. turn says how long a turn
// takes, and what comes next.
func scheduled(t *testing.T, limits Limits, turn func(key int) (takes time.Duration, next Next), test func(s *Schedule[int], l *log)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := &log{began: time.Now(), turns: map[int][]time.Duration{}, now: map[int]bool{}}
		s := New(limits, func(_ context.Context, key int) Next {
			l.mu.Lock()
			if l.now[key] {
				t.Errorf("two turns of %d at the same time", key)
			}
			l.now[key] = true
			l.most = max(l.most, len(l.now))
			l.turns[key] = append(l.turns[key], time.Since(l.began))
			takes, next := turn(key)
			l.mu.Unlock()
			time.Sleep(takes)
			l.mu.Lock()
			defer l.mu.Unlock()
			delete(l.now, key)
			return next
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { s.Run(ctx); close(done) }()
		test(s, l)
		cancel()
		<-done
		if len(l.now) > 0 {
			t.Errorf("Run ended before the turns of %v", l.now)
		}
	})
}

// of returns when the turns of some work began, after some time more.
func (l *log) of(key int, after time.Duration) []time.Duration {
	time.Sleep(after)
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.turns[key])
}

func TestTurns(t *testing.T) {
	exact := func(in time.Duration) func(int) (time.Duration, Next) {
		return func(int) (time.Duration, Next) { return time.Second / 2, Next{In: in, Exactly: true} }
	}
	scheduled(t, Limits{1, 1, 1}, exact(2*time.Second), func(s *Schedule[int], l *log) {
		s.Add(1, time.Second)
		s.Add(1, 0) // known
		want := []time.Duration{time.Second, 3500 * time.Millisecond, 6 * time.Second}
		if got := l.of(1, 8*time.Second); !slices.Equal(got, want) {
			t.Errorf("turns at %v, want %v", got, want)
		}
		s.Urge(1)
		s.Urge(1) // it has its place already
		if got := l.of(1, time.Second/4); len(got) != 4 || got[3] != 8*time.Second {
			t.Errorf("urged at 8s: %v", got)
		}
		s.Urge(1) // during its turn: another afterwards
		if got := l.of(1, time.Second); len(got) != 5 || got[4] != 8500*time.Millisecond {
			t.Errorf("urged during a turn: %v", got)
		}
		s.Keep(func(int) bool { return false })
		if got := l.of(1, time.Minute); len(got) != 5 || len(s.items) != 0 {
			t.Errorf("forgotten: %v", got)
		}
		s.Urge(1)
		l.of(1, time.Second/4)
		s.Keep(func(int) bool { return false }) // during a turn
		if got := l.of(1, time.Minute); len(got) != 6 || len(s.items) != 0 {
			t.Errorf("forgotten during a turn: %v", got)
		}
	})
}

func TestDone(t *testing.T) {
	scheduled(t, Limits{1, 1, 1}, func(int) (time.Duration, Next) { return time.Second, Next{Done: true} }, func(s *Schedule[int], l *log) {
		s.Urge(1)
		if got := l.of(1, time.Minute); len(got) != 1 || len(s.items) != 0 {
			t.Errorf("%v, %d remembered", got, len(s.items))
		}
		s.Urge(1)
		l.of(1, time.Second/2)
		s.Urge(1)
		if got := l.of(1, time.Minute); len(got) != 3 || len(s.items) != 0 {
			t.Errorf("urged during its last turn: %v, %d remembered", got, len(s.items))
		}
	})
}

// More work than there are places: everybody gets a turn before anybody has a second,
// and there are never more turns at a time than places.
func TestEverybodyGetsATurn(t *testing.T) {
	scheduled(t, Limits{1, 8, 1}, func(int) (time.Duration, Next) { return time.Second / 2, Next{In: time.Second} }, func(s *Schedule[int], l *log) {
		for k := range 300 { // for the 8 it is 19 s of work
			s.Add(k, 0)
		}
		l.of(0, 20*time.Second)
		for k := range 300 {
			if got := l.of(k, 0); len(got) < 1 || len(got) > 2 {
				t.Errorf("%d: %v", k, got)
			}
		}
		if l.most != 8 {
			t.Errorf("%d at a time", l.most)
		}
	})
}

// What is slow holds nobody else up, neither from its second turn on nor, after the
// patience, in its first.
func TestSlow(t *testing.T) {
	const dead = 40
	turn := func(key int) (time.Duration, Next) {
		if key < dead {
			return 12 * time.Second, Next{In: 2 * time.Second, Slow: true}
		}
		return 10 * time.Millisecond, Next{In: 2 * time.Second}
	}
	scheduled(t, Limits{10, 10, 40}, turn, func(s *Schedule[int], l *log) {
		for k := range dead {
			s.Urge(k)
		}
		s.Urge(100)
		if got := l.of(100, 6*time.Second); len(got) == 0 || got[0] > 5*patience {
			t.Errorf("at its first turn behind %d slow ones, at %v", dead, got)
		}
		for k := range 20 {
			s.Urge(200 + k)
		}
		l.of(0, 5*time.Minute)
		for k := range 20 {
			if got := l.of(200+k, 0); len(got) < 130 {
				t.Errorf("%d turns in five minutes beside slow ones", len(got))
			}
		}
		for k := range dead {
			if got := l.of(k, 0); len(got) < 15 {
				t.Errorf("a slow one has %d turns in five minutes", len(got))
			}
		}
	})
}

// Urgent work does not wait for work that is not.
func TestUrgent(t *testing.T) {
	turn := func(key int) (time.Duration, Next) { return 900 * time.Millisecond, Next{In: 0, Exactly: true} }
	scheduled(t, Limits{2, 4, 1}, turn, func(s *Schedule[int], l *log) {
		for k := range 100 {
			s.Add(k, 0)
		}
		l.of(0, time.Minute)
		s.Urge(1000)
		if got := l.of(1000, time.Second/10); len(got) != 1 || got[0] != time.Minute {
			t.Errorf("urged at 1m: turn at %v", got)
		}
		s.Urge(99) // known, and its turn is seconds away
		if got := l.of(99, time.Second/10); got[len(got)-1] < time.Minute {
			t.Errorf("urged: turns at %v", got)
		}
	})
}

// Work that began together spreads.
func TestChance(t *testing.T) {
	scheduled(t, Limits{1, 1000, 1}, func(int) (time.Duration, Next) { return 0, Next{In: 10 * time.Second} }, func(s *Schedule[int], l *log) {
		for k := range 1000 {
			s.Add(k, 0)
		}
		l.of(0, 12*time.Second)
		first, last := time.Hour, time.Duration(0)
		for k := range 1000 {
			at := l.of(k, 0)[1]
			first, last = min(first, at), max(last, at)
		}
		if first < 10*time.Second || last > 11*time.Second || last-first < 900*time.Millisecond {
			t.Errorf("second turns from %v to %v", first, last)
		}
	})
}

// Everything at the same time, for the race detector and against lost work.
func TestManyAtOnce(t *testing.T) {
	turn := func(int) (time.Duration, Next) {
		return rand.N(3 * time.Second), Next{In: rand.N(time.Second), Slow: rand.N(3) == 0, Done: rand.N(4) == 0}
	}
	scheduled(t, Limits{3, 5, 2}, turn, func(s *Schedule[int], l *log) {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 300 {
					switch k := rand.N(50); rand.N(4) {
					case 0:
						s.Add(k, rand.N(time.Second))
					case 1:
						s.Keep(func(key int) bool { return key != k })
					default:
						s.Urge(k)
					}
					time.Sleep(rand.N(100 * time.Millisecond))
				}
			})
		}
		wg.Wait()
		for k := range 50 {
			s.Urge(k)
		}
		before := map[int]int{}
		for k := range 50 {
			before[k] = len(l.of(k, 0))
		}
		l.of(0, 5*time.Minute)
		for k := range 50 {
			if l.now[k] || before[k] < len(l.turns[k]) {
				continue
			}
			t.Errorf("%d was urged and has no turn", k)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		for i, n := range s.running {
			if n < 0 || n > 2*s.limits[i] {
				t.Errorf("lane %d: %d running", i, n)
			}
		}
	})
}

// Each does everything once, whatever takes long, and begins nothing after the end of
// its context.
func TestEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		count, began := map[int]int{}, time.Now()
		Each(t.Context(), 100, Limits{Urgent: 4, Regular: 1, Slow: 20}, func(_ context.Context, i int) {
			if i < 40 { // dead
				time.Sleep(12 * time.Second)
			}
			mu.Lock()
			defer mu.Unlock()
			count[i]++
		})
		if took := time.Since(began); len(count) != 100 || took > 25*time.Second {
			t.Errorf("%d of 100 are done after %v", len(count), took)
		}
		for i, n := range count {
			if n != 1 {
				t.Errorf("%d was done %d times", i, n)
			}
		}
		Each(t.Context(), 0, Limits{Urgent: 1, Regular: 1, Slow: 1}, func(context.Context, int) { t.Error("there is nothing to do") })
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		done := 0
		Each(ctx, 100, Limits{Urgent: 1, Regular: 1, Slow: 1}, func(context.Context, int) { time.Sleep(time.Second / 2); done++ })
		if done < 9 || done > 11 {
			t.Errorf("%d were done in five seconds", done)
		}
	})
}
