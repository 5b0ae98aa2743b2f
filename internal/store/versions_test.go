package store_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signpost-acme/signpost/internal/redistest"
	"github.com/signpost-acme/signpost/internal/store"
	"github.com/signpost-acme/signpost/internal/zone"
)

// versioned is a store that keeps versions, with what its journal has shown.
type versioned struct {
	store.Store
	journal *store.Journal
	copy    *store.Copy

	mu      sync.Mutex
	shown   map[uint32]string // content, by serial
	serials []uint32          // in the order in which they were shown
}

// keepVersions follows s until the test ends, or stop is called.
func keepVersions(t *testing.T, s store.Store) (v *versioned, stop func()) {
	t.Helper()
	v = &versioned{Store: s, journal: &store.Journal{}, copy: &store.Copy{}, shown: map[uint32]string{}}
	s.(interface{ KeepVersions(*store.Journal) }).KeepVersions(v.journal)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { s.Follow(ctx, v.copy) })
	wg.Go(func() {
		for ctx.Err() == nil {
			changed := v.journal.Changed()
			v.note()
			select {
			case <-changed:
			case <-ctx.Done():
			}
		}
	})
	stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	t.Cleanup(stop)
	return v, stop
}

func (v *versioned) note() {
	serial, names, ok := v.journal.Current()
	if !ok {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.shown[serial] = content(names)
	if n := len(v.serials); n == 0 || v.serials[n-1] != serial {
		v.serials = append(v.serials, serial)
	}
}

func content(names map[uuid.UUID][]string) string {
	var lines []string
	for id, values := range names {
		lines = append(lines, fmt.Sprintf("%s=%q", id, values))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// now returns what the journal shows.
func (v *versioned) now() (uint32, string) {
	serial, names, _ := v.journal.Current()
	return serial, content(names)
}

// redisVersions opens a store that keeps versions and waits for nothing.
func redisVersions(t *testing.T, server *redistest.Server) *store.Redis {
	t.Helper()
	r, err := store.NewRedis(origin, store.RedisOptions{URL: server.URL()}, slog.New(slog.DiscardHandler))
	must(t, err)
	t.Cleanup(func() { r.Close() })
	store.Hurry(r)
	return r
}

// RFC 1035 section 3.3.13: every change of the content raises the serial, and nothing
// else does.
func TestRFC1035Section3_3_13Serial(t *testing.T) {
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			s := open(t)()
			if r, ok := s.(*store.Redis); ok {
				store.Hurry(r)
			}
			begin := time.Now().Unix()
			v, _ := keepVersions(t, s)
			eventually(t, "a first version", func() bool { _, ok := v.journal.Serial(); return ok })
			id, ctx := uuid.New(), t.Context()
			last, _ := v.journal.Serial()
			if int64(last) < begin {
				t.Errorf("the first serial is %d, at the time %d", last, begin)
			}
			for i, step := range []struct {
				what    func() error
				changes bool
				want    string
			}{
				{func() error { return s.Add(ctx, id, "one") }, true, `["one"]`},
				{func() error { return s.Add(ctx, id, "one") }, false, `["one"]`},
				{func() error { return s.Add(ctx, id, "a b\x00ü\xff") }, true, `["a b\x00ü\xff" "one"]`},
				{func() error { return s.Remove(ctx, id, "two") }, false, `["a b\x00ü\xff" "one"]`},
				{func() error { return s.Remove(ctx, id, "one") }, true, `["a b\x00ü\xff"]`},
				{func() error { return s.Remove(ctx, uuid.New(), "one") }, false, `["a b\x00ü\xff"]`},
				{func() error { return s.Remove(ctx, id, "a b\x00ü\xff") }, true, ``},
			} {
				must(t, step.what())
				want := step.want
				if want != "" {
					want = id.String() + "=" + want
				}
				eventually(t, want, func() bool { _, got := v.now(); return got == want })
				serial, _ := v.now()
				if step.changes != zone.SerialLess(last, serial) || !step.changes && serial != last {
					t.Errorf("step %d: the serial went from %d to %d", i, last, serial)
				}
				last = serial
			}
		})
	}
}

// RFC 1034 section 4.3.5: a serial stands for one content, whichever replica is asked,
// while several change the zone at once; and the changes that a replica knows lead
// from each version to the next.
func TestRFC1034Section4_3_5SameContentUnderTheSameSerial(t *testing.T) {
	server := redistest.Start(t)
	var replicas []*versioned
	for range 3 {
		v, _ := keepVersions(t, redisVersions(t, server))
		eventually(t, "a first version", func() bool { v.mu.Lock(); defer v.mu.Unlock(); return len(v.serials) > 0 })
		replicas = append(replicas, v)
	}
	var ids []uuid.UUID
	for range 20 {
		ids = append(ids, uuid.New())
	}
	var wg sync.WaitGroup
	for n, v := range replicas[:2] {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(n)))
			for i := range 150 {
				id, value := ids[random.IntN(len(ids))], fmt.Sprint("value ", i%3)
				err := v.Add(t.Context(), id, value)
				if random.IntN(2) == 0 {
					err = v.Remove(t.Context(), id, value)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	late, _ := keepVersions(t, redisVersions(t, server)) // reads everything, and no log
	replicas = append(replicas, late)
	eventually(t, "all at the same version", func() bool {
		first, _ := replicas[0].journal.Serial()
		return !slices.ContainsFunc(replicas, func(v *versioned) bool { s, ok := v.journal.Serial(); return !ok || s != first })
	})
	oneContent(t, replicas)
}

// RFC 1982 section 3.1: the serial rises also when Redis has lost it with everything
// else, and what is shown meanwhile is what was there before.
func TestRFC1982Section3_1SerialAfterALoss(t *testing.T) {
	for name, lose := range map[string]func(t *testing.T, server *redistest.Server){
		"emptied":           func(_ *testing.T, server *redistest.Server) { server.Do("FLUSHALL") },
		"started without":   func(_ *testing.T, server *redistest.Server) { server.Kill(); server.Run() },
		"lost the serial":   func(_ *testing.T, server *redistest.Server) { server.Do("DEL", "signpost:{"+origin+"}:version") },
		"an older snapshot": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := []string{}
			if lose == nil {
				args = []string{"--dir", t.TempDir()}
			}
			server := redistest.Start(t, args...)
			v, _ := keepVersions(t, redisVersions(t, server))
			ctx, id := t.Context(), uuid.New()
			must(t, v.Add(ctx, id, "old"))
			if lose == nil {
				server.Do("SAVE")
			}
			for i := range 40 { // the serial is then ahead of the time
				must(t, v.Add(ctx, id, fmt.Sprint(i)))
				if i < 39 {
					must(t, v.Remove(ctx, id, fmt.Sprint(i)))
				}
			}
			full := fmt.Sprintf("%s=%q", id, []string{"39", "old"})
			eventually(t, full, func() bool { _, got := v.now(); return got == full })
			before, _ := v.now()
			if lose == nil {
				server.Kill()
				server.Run()
			} else {
				lose(t, server)
			}
			time.Sleep(3 * time.Second) // long enough to notice, and for less than values are kept
			if _, got := v.now(); got != full {
				t.Errorf("what Redis lost is not shown any more: %q", got)
			}
			must(t, v.Add(ctx, id, "39")) // the watch puts it back
			must(t, v.Add(ctx, id, "old"))
			must(t, v.Add(ctx, id, "new"))
			want := fmt.Sprintf("%s=%q", id, []string{"39", "new", "old"})
			eventually(t, want, func() bool { _, got := v.now(); return got == want })
			v.note()
			v.mu.Lock()
			defer v.mu.Unlock()
			for i, serial := range v.serials[1:] {
				if !zone.SerialLess(v.serials[i], serial) {
					t.Errorf("the serial went from %d to %d", v.serials[i], serial)
				}
			}
			if after := v.serials[len(v.serials)-1]; !zone.SerialLess(before, after) {
				t.Errorf("the serial was %d and is %d", before, after)
			}
			fresh, _ := keepVersions(t, redisVersions(t, server))
			eventually(t, "the same at a new replica", func() bool { _, got := fresh.now(); return got == want })
		})
	}
}

// After CatchUp a replica shows at least what another one has shown before it.
func TestCatchUp(t *testing.T) {
	server := redistest.Start(t)
	one, _ := keepVersions(t, redisVersions(t, server))
	other, _ := keepVersions(t, redisVersions(t, server))
	for _, v := range []*versioned{one, other} {
		eventually(t, "a first version", func() bool { _, ok := v.journal.Serial(); return ok })
	}
	for i := range 100 {
		must(t, one.Add(t.Context(), uuid.New(), fmt.Sprint(i)))
		eventually(t, "shown", func() bool { _, names, _ := one.journal.Current(); return len(names) == i+1 })
		shown, _ := one.journal.Serial()
		other.journal.CatchUp(t.Context())
		if got, _ := other.journal.Serial(); zone.SerialLess(got, shown) {
			t.Errorf("%d after CatchUp, when %d had been shown", got, shown)
		}
	}
	server.Kill()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	begin := time.Now()
	other.journal.CatchUp(ctx)
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("it waits %v for a Redis that is gone", took)
	}
}

// What changes without a version gets one: a value that expires, and a change by a
// replica that keeps none.
func TestChangesWithoutAVersion(t *testing.T) {
	server := redistest.Start(t)
	v, _ := keepVersions(t, redisVersions(t, server))
	other, _ := keepVersions(t, redisVersions(t, server))
	plain := opener(t, store.RedisOptions{URL: server.URL()})()
	id, expired, ctx := uuid.New(), uuid.New(), t.Context()
	must(t, v.Add(ctx, expired, "short"))
	both := func(want string) {
		t.Helper()
		eventually(t, want, func() bool {
			s, a := v.now()
			o, b := other.now()
			return a == want && b == want && s == o
		})
	}
	both(fmt.Sprintf("%s=%q", expired, []string{"short"}))
	must(t, plain.Add(ctx, id, "unversioned"))
	must(t, v.Add(ctx, expired, "long"))
	key := "signpost:{" + origin + "}:" + expired.String()
	server.Do("ZADD", key, "1", "short")
	lines := []string{fmt.Sprintf("%s=%q", id, []string{"unversioned"}), fmt.Sprintf("%s=%q", expired, []string{"long"})}
	slices.Sort(lines)
	both(strings.Join(lines, "\n"))
	must(t, plain.Remove(ctx, id, "unversioned"))
	both(fmt.Sprintf("%s=%q", expired, []string{"long"}))
}

// A replica that begins while Redis may just have lost values waits for them before it
// shows a version; secondaries then go on with theirs.
func TestYoungStoreIsNotShown(t *testing.T) {
	server := redistest.Start(t)
	r, err := store.NewRedis(origin, store.RedisOptions{URL: server.URL()}, slog.New(slog.DiscardHandler))
	must(t, err)
	defer r.Close()
	v, stop := keepVersions(t, r)
	begin := time.Now()
	eventually(t, "a version", func() bool { _, ok := v.journal.Serial(); return ok })
	if took := time.Since(begin); took < 5*time.Second {
		t.Errorf("shown after %v", took)
	}
	stop()
}

// The past that a journal keeps is bounded, in number and in octets.
func TestJournalIsBounded(t *testing.T) {
	m := store.NewMemory()
	v, stop := keepVersions(t, m)
	defer stop()
	first, _ := v.journal.Serial()
	id := uuid.New()
	for i := range 6000 {
		must(t, m.Add(t.Context(), id, fmt.Sprint(i)))
		must(t, m.Remove(t.Context(), id, fmt.Sprint(i)))
	}
	if _, ok := v.journal.Since(first); ok {
		t.Error("12,000 changes are kept")
	}
	middle, _ := v.journal.Serial()
	must(t, m.Add(t.Context(), id, "last"))
	if changes, ok := v.journal.Since(middle); !ok || len(changes) != 1 {
		t.Errorf("the last change is %v, %v", changes, ok)
	}
	for i := range 90 {
		for j := range 99 {
			if err := m.Add(t.Context(), uuid.UUID{1, byte(i), byte(j)}, strings.Repeat(fmt.Sprint(j), 100)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := range 200 {
		for range 50 {
			must(t, m.Add(t.Context(), id, strings.Repeat("x", 200)+fmt.Sprint(i)))
			must(t, m.Remove(t.Context(), id, strings.Repeat("x", 200)+fmt.Sprint(i)))
		}
	}
	if _, ok := v.journal.Since(middle); ok {
		t.Error("more than 4 MB of changes are kept")
	}
}
