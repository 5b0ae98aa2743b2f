package solver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/internal/store"
	"github.com/signpost-acme/signpost/internal/zone"
)

// fakeChallenges is a cluster whose API server and whose watch can differ, which
// a real one does only for moments.
type fakeChallenges struct {
	mu      sync.Mutex
	watched []cluster.Challenge
	current map[types.UID][]cluster.Challenge // one for each Current; the last stays
	here    bool                              // presented by this replica
	nudges  int
	ended   int // calls of EndOrder
	ends    func() bool
	holder  string // of the name
	unread  bool   // the Challenges have not been read yet

	unwatched []cluster.Challenge // that the watch does not know yet
	findErr   error
	told      []string
}

func (f *fakeChallenges) Challenges() []cluster.Challenge {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.watched)
}

func (f *fakeChallenges) Current(_ context.Context, c cluster.Challenge) (cluster.Challenge, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := f.current[c.UID]
	if len(list) == 0 {
		return c, nil
	}
	if len(list) > 1 {
		f.current[c.UID] = list[1:]
	}
	return list[0], nil
}

func (f *fakeChallenges) presented(cluster.Challenge) bool { return f.here }

func (f *fakeChallenges) Nudge(context.Context, cluster.Challenge) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.nudges++
	return nil
}

func (f *fakeChallenges) EndOrder(context.Context, cluster.Challenge) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended++
	return f.ends == nil || f.ends(), nil
}

func (f *fakeChallenges) FollowsChallenges() bool { return !f.unread }

func (f *fakeChallenges) Find(_ context.Context, domain, key string) (found []cluster.Challenge, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range slices.Concat(f.watched, f.unwatched) {
		if c.Domain == domain && c.Key == key {
			found = append(found, c)
		}
	}
	return found, f.findErr
}

func (f *fakeChallenges) Holder(cluster.Challenge) string { return f.holder }

func (f *fakeChallenges) Tell(_ context.Context, _ cluster.Challenge, _, message string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.told = append(f.told, message)
	return nil
}

// watching runs a Watcher in a bubble with its own clock.
func watching(t *testing.T, f *fakeChallenges, lookUp LookUp, test func(t *testing.T, store *store.Memory, z *zone.Zone)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		z, err := zone.New("acme.example.com")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		store := store.NewMemory()
		w := &Watcher{Challenges: f, Store: store, Zone: z, LookUp: lookUp, Presented: f.presented, Log: slog.New(slog.DiscardHandler)}
		go w.Run(ctx)
		test(t, store, z)
		cancel()
		synctest.Wait()
	})
}

func challenge() cluster.Challenge {
	return cluster.Challenge{Namespace: "web", Name: "c", UID: "1", Scope: "cert-manager", Domain: "example.com", Key: "value", State: "pending", Since: time.Now()}
}

// Domains whose servers do not answer keep no other challenge waiting, however many.
func TestWatcherIsFair(t *testing.T) {
	f := &fakeChallenges{}
	lookUp := func(ctx context.Context, _, domain string) check.Finding {
		if strings.HasPrefix(domain, "dead") {
			<-ctx.Done()
			return check.Finding{Status: check.Unknown}
		}
		return check.Finding{Status: check.OK}
	}
	watching(t, f, lookUp, func(t *testing.T, _ *store.Memory, _ *zone.Zone) {
		f.mu.Lock()
		for i := range 200 {
			c := challenge()
			c.UID, c.Domain, c.Reason = types.UID(fmt.Sprint("dead", i)), fmt.Sprintf("dead%d.example.com", i), "it does not answer"
			f.watched = append(f.watched, c)
		}
		f.mu.Unlock()
		time.Sleep(2 * time.Minute)
		good := challenge()
		good.Reason = "add it"
		f.mu.Lock()
		f.watched = append(f.watched, good)
		f.mu.Unlock()
		time.Sleep(2 * watchInterval)
		synctest.Wait()
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.nudges != 1 {
			t.Errorf("%d nudges", f.nudges)
		}
	})
}

// A missing CNAME is told once; when it is there cert-manager is nudged once, and
// again if it went missing once more.
func TestWatcherNudges(t *testing.T) {
	f := &fakeChallenges{}
	var mu sync.Mutex
	result := check.Finding{Status: check.Failed, Hint: "add it"}
	set := func(r check.Finding) { mu.Lock(); defer mu.Unlock(); result = r }
	lookUp := func(context.Context, string, string) check.Finding { mu.Lock(); defer mu.Unlock(); return result }
	watching(t, f, lookUp, func(t *testing.T, _ *store.Memory, _ *zone.Zone) {
		c := challenge()
		c.Reason = "add it"
		f.mu.Lock()
		f.watched = []cluster.Challenge{c}
		f.mu.Unlock()
		want := func(nudges, told int) {
			t.Helper()
			time.Sleep(10 * time.Second)
			synctest.Wait()
			f.mu.Lock()
			defer f.mu.Unlock()
			if f.nudges != nudges || len(f.told) != told {
				t.Errorf("%d nudges and %q, want %d and %d messages", f.nudges, f.told, nudges, told)
			}
		}
		want(0, 1)
		set(check.Finding{Status: check.Unknown, Hint: "no answer"})
		want(0, 1)
		set(check.Finding{Status: check.OK})
		want(1, 1)
		set(check.Finding{Status: check.Failed, Hint: "add it"})
		want(1, 2)
		set(check.Finding{Status: check.OK})
		want(2, 2)
	})
}

// What was lost comes back, but never what cert-manager is cleaning up.
func TestWatcherRestores(t *testing.T) {
	presented, ended, waiting := challenge(), challenge(), challenge()
	presented.Presented = true
	ended.Presented, ended.Ended = true, true
	for name, tc := range map[string]struct {
		watched cluster.Challenge
		here    bool
		current []cluster.Challenge
		want    []string
	}{
		"lost":                            {presented, false, nil, []string{"value"}},
		"not presented yet":               {waiting, false, nil, nil},
		"presented here, not noted yet":   {waiting, true, nil, []string{"value"}},
		"cleaned up, the watch is late":   {presented, true, []cluster.Challenge{ended}, nil},
		"cleaned up while it is put back": {presented, false, []cluster.Challenge{presented, ended}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fakeChallenges{here: tc.here, watched: []cluster.Challenge{tc.watched}, current: map[types.UID][]cluster.Challenge{"1": tc.current}}
			watching(t, f, nil, func(t *testing.T, store *store.Memory, z *zone.Zone) {
				time.Sleep(10 * time.Second)
				synctest.Wait()
				target, err := z.Target("cert-manager", "example.com")
				if err != nil {
					t.Fatal(err)
				}
				if got, err := store.Values(t.Context(), target.ID); err != nil || !slices.Equal(got, tc.want) {
					t.Errorf("the store has %q, %v, want %q", got, err, tc.want)
				}
			})
		})
	}
}

// silentStore is a store that sometimes cannot be reached.
type silentStore struct {
	*store.Memory
	down atomic.Bool
}

func (s *silentStore) Replicas(ctx context.Context) ([]string, error) {
	if s.down.Load() {
		return nil, errors.New("no answer")
	}
	return s.Memory.Replicas(ctx)
}

// A nudge that was spent is repeated: at once when the store works again, and else
// more and more seldom, while the Challenge has not been presented.
func TestWatcherNudgesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z, err := zone.New("acme.example.com")
		if err != nil {
			t.Fatal(err)
		}
		c := challenge()
		c.Reason, c.Processing = "the store cannot be reached", true
		f := &fakeChallenges{watched: []cluster.Challenge{c}}
		st := &silentStore{Memory: store.NewMemory()}
		there := func(context.Context, string, string) check.Finding { return check.Finding{Status: check.OK} }
		w := &Watcher{Challenges: f, Store: st, Zone: z, LookUp: there, Presented: f.presented, Gate: true, Log: slog.New(slog.DiscardHandler)}
		f.ends = func() bool { return false } // there is no Order to end: it keeps nobody from going on
		ctx, cancel := context.WithCancel(t.Context())
		go w.Run(ctx)
		nudges := func() int {
			synctest.Wait()
			f.mu.Lock()
			defer f.mu.Unlock()
			n := f.nudges
			f.nudges = 0
			return n
		}
		time.Sleep(5 * time.Second)
		if n := nudges(); n != 1 {
			t.Errorf("%d nudges at first", n)
		}
		st.down.Store(true)
		time.Sleep(5 * time.Minute)
		if n := nudges(); n != 0 {
			t.Errorf("%d nudges without a store", n)
		}
		st.down.Store(false)
		time.Sleep(5 * time.Second)
		if n := nudges(); n != 1 {
			t.Errorf("%d nudges when the store works again", n)
		}
		time.Sleep(10 * time.Minute) // after 30, 60, 120, 240 s
		if n := nudges(); n != 4 {
			t.Errorf("%d nudges in ten minutes", n)
		}
		time.Sleep(time.Hour)
		if n := nudges(); n < 11 || n > 13 {
			t.Errorf("%d nudges in an hour", n)
		}
		f.set(func() { f.watched[0].Presented = true })
		time.Sleep(time.Hour)
		if n := nudges(); n > 1 {
			t.Errorf("%d nudges for what is presented", n)
		}
		cancel()
		synctest.Wait()
	})
}
