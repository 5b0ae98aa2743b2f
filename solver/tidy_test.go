package solver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/internal/store"
	"github.com/signpost-acme/signpost/internal/zone"
)

// tidying runs a Watcher in a bubble with its own clock, with two values in the store.
func tidying(t *testing.T, f *fakeChallenges, returned []string, test func(st *store.Memory, id uuid.UUID, has func(want ...string))) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		z, err := zone.New("acme.example.com")
		if err != nil {
			t.Fatal(err)
		}
		target, err := z.Target("cert-manager", "example.com")
		if err != nil {
			t.Fatal(err)
		}
		st := store.NewMemory()
		for _, v := range []string{"value", "gone", "foreign"} {
			if err := st.Add(t.Context(), target.ID, v); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		w := &Watcher{Challenges: f, Store: st, Zone: z, Presented: f.presented, Log: slog.New(slog.DiscardHandler),
			Returned: func() map[uuid.UUID][]string {
				f.mu.Lock()
				defer f.mu.Unlock()
				return map[uuid.UUID][]string{target.ID: returned}
			}}
		go w.Run(ctx)
		test(st, target.ID, func(want ...string) {
			t.Helper()
			synctest.Wait()
			if got, err := st.Values(t.Context(), target.ID); err != nil || !slices.Equal(got, want) {
				t.Errorf("the store has %q, %v, want %q", got, err, want)
			}
		})
		cancel()
		synctest.Wait()
	})
}

func (f *fakeChallenges) set(change func()) { f.mu.Lock(); defer f.mu.Unlock(); change() }

func ended(key string) cluster.Challenge {
	c := challenge()
	c.Key, c.UID = key, "2"
	return c
}

// What came back with an older snapshot goes if a Challenge of this cluster had it,
// unless one has it; before the Challenges have been read nothing goes.
func TestWatcherRemovesWhatCameBack(t *testing.T) {
	for name, tc := range map[string]struct {
		unread bool
		want   []string
	}{
		"after the Challenges were read":  {false, []string{"foreign", "value"}},
		"before the Challenges were read": {true, []string{"foreign", "gone", "value"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fakeChallenges{watched: []cluster.Challenge{challenge(), ended("gone")}, unread: tc.unread}
			tidying(t, f, []string{"foreign", "gone", "value"}, func(_ *store.Memory, _ uuid.UUID, has func(want ...string)) {
				time.Sleep(3 * time.Second)
				has("foreign", "gone", "value") // Challenges have those that are ours
				f.set(func() { f.watched = []cluster.Challenge{challenge()} })
				time.Sleep(3 * time.Second)
				has(tc.want...)
			})
		})
	}
}

// A value that is there after its Challenge has ended goes, also when it comes late;
// never one that a Challenge has which the watch does not know yet, nor another's.
func TestWatcherRemovesWhatIsLeft(t *testing.T) {
	f := &fakeChallenges{watched: []cluster.Challenge{challenge(), ended("gone")}}
	tidying(t, f, nil, func(st *store.Memory, id uuid.UUID, has func(want ...string)) {
		time.Sleep(time.Hour)
		has("foreign", "gone", "value")
		f.set(func() { f.watched = []cluster.Challenge{challenge()} })
		time.Sleep(2 * presentTimeout)
		has("foreign", "gone", "value") // CleanUp's turn
		time.Sleep(2 * presentTimeout)
		has("foreign", "value")
		if err := st.Add(t.Context(), id, "gone"); err != nil { // what the network has held up
			t.Fatal(err)
		}
		time.Sleep(3 * time.Minute)
		has("foreign", "value")

		f.set(func() {
			f.watched, f.findErr = nil, errors.New("no answer")
			c := challenge()
			c.UID = "3"
			f.unwatched = []cluster.Challenge{c}
		})
		time.Sleep(time.Hour)
		has("foreign", "value")
		f.set(func() { f.findErr = nil })
		time.Sleep(time.Minute)
		has("foreign", "value")
		f.set(func() { f.unwatched[0].Ended = true })
		time.Sleep(time.Minute)
		has("foreign")
	})
}

// What is remembered is bounded, and forgotten when no store can have it any more.
func TestHad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h had
		for i := range maxHad + 10 {
			h.note(value{uuid.Nil, fmt.Sprint(i)}, challenge())
		}
		if len(h.what) != maxHad || !h.knows(value{uuid.Nil, fmt.Sprint(maxHad + 9)}) {
			t.Errorf("%d values are remembered", len(h.what))
		}
		time.Sleep(store.Lifetime + time.Hour)
		if h.due(); len(h.what) != 0 {
			t.Errorf("%d values are remembered for ever", len(h.what))
		}
	})
}
