package secondaries

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signpost-acme/signpost/internal/redistest"
	"github.com/signpost-acme/signpost/internal/store"
	"github.com/signpost-acme/signpost/internal/zone"
)

// sum tells one content of the zone from another one: the sum of what its values are
// hashed to, and their number. Values can be added and taken away, in any order.
type sum struct {
	a, b uint64
	n    int
}

func (s *sum) add(name, value string, times int) {
	h := sha256.Sum256([]byte(strings.ToLower(name) + " " + value))
	s.a += uint64(times) * binary.BigEndian.Uint64(h[:])
	s.b += uint64(times) * binary.BigEndian.Uint64(h[8:])
	s.n += times
}

// history knows what was in the zone at each serial. It follows the store as another
// replica would, from when it was made.
type history struct {
	marker uuid.UUID

	mu     sync.Mutex
	at     uint32
	now    sum
	sums   map[uint32]sum
	marked map[string]uint32 // the serials at which the marker got its values
}

// newHistory begins with the content at a serial.
func newHistory(marker uuid.UUID, serial uint32, names map[uuid.UUID][]string) *history {
	h := &history{marker: marker, at: serial, sums: map[uint32]sum{}, marked: map[string]uint32{}}
	for id, values := range names {
		for _, v := range values {
			h.now.add(id.String(), v, 1)
		}
	}
	h.sums[serial] = h.now
	return h
}

// follow applies changes, the first of which is from the last serial.
func (h *history) follow(changes []zone.Change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range changes {
		for _, n := range c.Names {
			for _, v := range n.Removed {
				h.now.add(n.ID.String(), v, -1)
			}
			for _, v := range n.Added {
				h.now.add(n.ID.String(), v, 1)
				if n.ID == h.marker {
					h.marked[v] = c.To
				}
			}
		}
		h.at = c.To
		h.sums[c.To] = h.now
	}
}

// record keeps a history until the test ends.
func record(t *testing.T, redis *redistest.Server, marker uuid.UUID) *history {
	t.Helper()
	r, err := store.NewRedis(origin, store.RedisOptions{URL: redis.URL()}, slog.New(slog.DiscardHandler))
	must(t, err)
	journal := &store.Journal{}
	r.KeepVersions(journal)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	t.Cleanup(func() { cancel(); wg.Wait(); r.Close() })
	wg.Go(func() { r.Follow(ctx, &store.Copy{}) })
	eventually(t, 30*time.Second, "the history has begun", func() bool { _, ok := journal.Serial(); return ok })
	serial, names, _ := journal.Current()
	h := newHistory(marker, serial, names)
	wg.Go(func() {
		for at := serial; ctx.Err() == nil; {
			changed := journal.Changed()
			changes, ok := journal.Since(at)
			if !ok {
				t.Error("the history has a gap")
				return
			}
			if len(changes) == 0 {
				select {
				case <-changed:
				case <-ctx.Done():
				}
				continue
			}
			h.follow(changes)
			at = changes[len(changes)-1].To
		}
	})
	return h
}

// check returns an error unless a whole copy, which has a serial and is not newer than
// another one, is what the zone had been, and has the marker's value.
func (h *history) check(copied sum, serial, newest uint32, promised string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if at, ok := h.marked[promised]; promised != "" && (!ok || zone.SerialLess(serial, at)) {
		return fmt.Errorf("the copy has the serial %d, when that of %d was promised", serial, at)
	}
	if want, ok := h.sums[serial]; ok && want == copied {
		return nil
	}
	for other, s := range h.sums {
		if s != copied {
			continue
		}
		if zone.SerialLess(serial, other) && !zone.SerialLess(newest, other) {
			return nil
		}
		return fmt.Errorf("the copy has the serial %d, and what was there at %d", serial, other)
	}
	return fmt.Errorf("the copy has the serial %d and %d values; what was there then was another content, of %d", serial, copied.n, h.sums[serial].n)
}

// knows reports whether the history has come to a serial.
func (h *history) knows(serial uint32) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !zone.SerialLess(h.at, serial)
}

// began reports whether a serial is the first of the history, or a later one.
func (h *history) began(serial uint32) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, ok := h.sums[serial]
	return ok
}

// What compares copies sees a value that is another one, that is missing, that should not
// be there or is there twice, content of another serial, and a copy that is older than what was promised.
func TestCopiesAreCompared(t *testing.T) {
	one, marker := uuid.New(), uuid.New()
	h := newHistory(marker, 7, map[uuid.UUID][]string{one: {"a", "b"}})
	h.follow([]zone.Change{
		{From: 7, To: 8, Names: []zone.NameChange{{ID: marker, Added: []string{"1"}}}},
		{From: 8, To: 9, Names: []zone.NameChange{{ID: one, Removed: []string{"b"}, Added: []string{"c"}}}},
	})
	copied := func(marked string, values ...string) (s sum) {
		for _, v := range values {
			s.add(one.String(), v, 1)
		}
		if marked != "" {
			s.add(strings.ToUpper(marker.String()), marked, 1)
		}
		return s
	}
	for _, c := range []struct {
		copied         sum
		serial, newest uint32
		promised       string
		want           string // in the error, "" for none
	}{
		{copied("", "b", "a"), 7, 7, "", ""},
		{copied("1", "a", "b"), 8, 8, "1", ""},
		{copied("1", "a", "c"), 9, 9, "1", ""},
		{copied("1", "a", "c"), 8, 9, "1", ""},
		{copied("1", "a", "x"), 9, 9, "1", "another content"},
		{copied("1", "a"), 9, 9, "1", "another content"},
		{copied("1", "a", "c", "d"), 9, 9, "1", "another content"},
		{copied("1", "a", "c", "c"), 9, 9, "1", "another content"},
		{copied("2", "a", "c"), 9, 9, "1", "another content"},
		{copied("1", "a", "c"), 8, 8, "1", "was there at 9"},
		{copied("1", "a", "b"), 9, 9, "1", "was there at 8"},
		{copied("", "a", "b"), 7, 9, "1", "promised"},
		{copied("1", "a", "c"), 9, 9, "2", "promised"},
	} {
		switch err := h.check(c.copied, c.serial, c.newest, c.promised); {
		case err == nil && c.want != "":
			t.Errorf("%+v is taken", c)
		case err != nil && (c.want == "" || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%+v: %v", c, err)
		}
	}
}
