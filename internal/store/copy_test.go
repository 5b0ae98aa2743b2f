package store

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
)

func (c *Copy) expect(t *testing.T, what string, id uuid.UUID, want ...string) {
	t.Helper()
	if got, _, _ := c.Lookup(id); !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// A full read takes time; what changes meanwhile must not be undone by it.
func TestCopyChangesDuringFullRead(t *testing.T) {
	c, changed, removed, added, gone, kept := &Copy{}, uuid.New(), uuid.New(), uuid.New(), uuid.New(), uuid.New()
	all := []uuid.UUID{changed, removed, gone, kept}
	c.beginRead()
	c.putRead(all, [][]string{{"old"}, {"old"}, {"old"}, {"old"}}, false)
	c.endRead(true, false)

	c.beginRead()
	c.put(changed, []string{"new"}, false)
	c.put(removed, nil, false)
	c.put(added, []string{"new"}, false)
	c.putRead([]uuid.UUID{changed, removed, kept}, [][]string{{"old"}, {"old"}, {"old"}}, false)
	c.endRead(true, false)
	c.expect(t, "changed before the read came by", changed, "new")
	c.expect(t, "removed before the read came by", removed)
	c.expect(t, "added behind the read's back", added, "new")
	c.expect(t, "not seen by the read", gone)
	c.expect(t, "seen by the read", kept, "old")

	c.beginRead()
	c.putRead([]uuid.UUID{kept}, [][]string{{"old"}}, false)
	c.put(kept, []string{"new"}, false)
	c.put(kept, nil, false)
	c.put(kept, []string{"newest"}, false)
	c.endRead(true, false)
	c.expect(t, "changed after the read came by", kept, "newest")
	if n := c.Total(); n != 1 {
		t.Errorf("Total = %d after all other names are gone", n)
	}
}

func TestCopyBrokenFullReadTakesNothingAway(t *testing.T) {
	c, id := &Copy{}, uuid.New()
	c.beginRead()
	c.putRead([]uuid.UUID{id}, [][]string{{"v"}}, false)
	c.endRead(false, false)
	if c.Synced() {
		t.Error("synced after a broken read")
	}
	c.beginRead()
	c.endRead(false, false)
	c.expect(t, "after two broken reads", id, "v")
}

// While the store may have lost writes nothing is taken away, but what is removed
// altogether; what was not there before is noted as returned until it is gone.
func TestCopyKeeps(t *testing.T) {
	c, lost, partly, returned, gone := &Copy{}, uuid.New(), uuid.New(), uuid.New(), uuid.New()
	c.beginRead()
	c.putRead([]uuid.UUID{lost, partly, gone}, [][]string{{"v"}, {"a", "b"}, {"v"}}, false)
	c.endRead(true, false)

	c.beginRead()
	c.putRead([]uuid.UUID{partly, returned}, [][]string{{"a", "c"}, {"v"}}, true)
	c.put(gone, nil, true)
	c.endRead(true, true)
	c.expect(t, "not in the store", lost, "v")
	c.expect(t, "in the store in part", partly, "a", "b", "c")
	c.expect(t, "came back", returned, "v")
	c.expect(t, "removed", gone)
	if got := c.Returned(); len(got) != 2 || !slices.Equal(got[partly], []string{"c"}) || !slices.Equal(got[returned], []string{"v"}) {
		t.Errorf("Returned = %v", got)
	}
	if n := c.Total(); n != 5 {
		t.Errorf("Total = %d, want 5", n)
	}
	all := map[uuid.UUID][]string{}
	maps.Insert(all, c.All())
	if len(all) != 3 || !slices.Equal(all[lost], []string{"v"}) {
		t.Errorf("All = %v", all)
	}

	c.put(partly, []string{"a", "d"}, true)
	c.expect(t, "one value is added, one removed", partly, "a", "b", "c", "d")
	c.put(returned, nil, true)
	if got := c.Returned(); len(got) != 0 {
		t.Errorf("Returned = %v after all are gone from the store", got)
	}

	c.beginRead()
	c.putRead([]uuid.UUID{partly}, [][]string{{"a", "d"}}, false)
	c.endRead(true, false)
	c.expect(t, "not put back", lost)
	c.expect(t, "not put back in part", partly, "a", "d")
	if n := c.Total(); n != 2 {
		t.Errorf("Total = %d, want 2", n)
	}
}

func TestMemoryExpires(t *testing.T) {
	m, c, id, ctx := NewMemory(), &Copy{}, uuid.New(), t.Context()
	now := time.Now()
	m.now = func() time.Time { return now }
	_ = m.Add(ctx, id, "old")
	_ = m.Announce(ctx, "192.0.2.1:53")
	now = now.Add(Lifetime - time.Hour)
	_ = m.Add(ctx, id, "new")
	m.sweep(c)
	c.expect(t, "both alive", id, "new", "old")
	if got, _ := m.Replicas(ctx); len(got) != 0 {
		t.Errorf("Replicas = %q long after the last heartbeat", got)
	}
	now = now.Add(time.Hour)
	m.sweep(c)
	c.expect(t, "one expired", id, "new")
	now = now.Add(Lifetime)
	m.sweep(c)
	if c.expect(t, "both expired", id); len(m.values) != 0 {
		t.Error("expired names are kept in the store")
	}
}
