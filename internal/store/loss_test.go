package store_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signpost-acme/signpost/internal/redistest"
	"github.com/signpost-acme/signpost/internal/store"
)

// Redis comes back empty: what it has lost is served on until somebody has had time
// to put it back, what is removed meanwhile is gone at once, and so is in the end
// what nobody puts back.
func TestRedisLosesEverything(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	open := opener(t, store.RedisOptions{URL: server.URL()})
	st, back, removed, lost := open(), uuid.New(), uuid.New(), uuid.New()
	for _, id := range []uuid.UUID{back, removed, lost} {
		must(t, st.Add(t.Context(), id, "v"))
	}
	c := follow(t, open())
	server.Kill()
	server.Run()
	begin := time.Now()
	eventually(t, "what is removed is gone", func() bool { // the first time, the copy may not listen yet
		return st.Remove(t.Context(), removed, "v") == nil && holds(c, removed)()
	})
	for _, id := range []uuid.UUID{back, lost} {
		if !holds(c, id, "v")() {
			t.Error("a record that Redis has lost is no longer served")
		}
	}
	must(t, st.Add(t.Context(), back, "v"))
	eventually(t, "what is put back is there", holds(c, back, "v"))
	eventually(t, "what is not put back is gone", holds(c, lost))
	if d := time.Since(begin); d < 5*time.Second {
		t.Errorf("that was already after %v", d)
	}
	if !holds(c, back, "v")() {
		t.Error("what was put back is gone")
	}
}

// While not all replicas can have announced themselves again, the list of them is
// not to be relied upon.
func TestRedisLosesReplicas(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	st := opener(t, store.RedisOptions{URL: server.URL()})()
	must(t, st.Announce(t.Context(), "192.0.2.1:53"))
	must(t, st.Announce(t.Context(), "192.0.2.2:53"))
	replicas := func(want int) bool {
		list, err := st.Replicas(t.Context())
		return err == nil && len(list) == want
	}
	if !replicas(2) {
		t.Fatal("the replicas are not there in the first place")
	}
	server.Do("FLUSHALL")
	must(t, st.Announce(t.Context(), "192.0.2.1:53"))
	if !replicas(0) {
		t.Error("one of two replicas is taken for all")
	}
	eventually(t, "both count again", func() bool {
		must(t, st.Announce(t.Context(), "192.0.2.1:53"))
		must(t, st.Announce(t.Context(), "192.0.2.2:53"))
		return replicas(2)
	})
}

// What is full can be made empty.
func TestRedisFull(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	open := opener(t, store.RedisOptions{URL: server.URL()})
	st, id := open(), uuid.New()
	must(t, st.Add(t.Context(), id, "v"))
	c := follow(t, open())
	server.Do("CONFIG", "SET", "maxmemory", 1)
	if err := st.Add(t.Context(), id, "w"); err == nil {
		t.Fatal("a full Redis takes a record")
	}
	must(t, st.Remove(t.Context(), id, "v"))
	eventually(t, "the removal is heard of", holds(c, id))
}

// A replica that was announced before Redis' clock was set back does not count as
// live for as long as it was set back.
func TestRedisClockSetBack(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	st := opener(t, store.RedisOptions{URL: server.URL()})()
	server.Do("ZADD", "signpost:{"+origin+"}:replicas", time.Now().Add(time.Hour).UnixMilli(), "192.0.2.9:53")
	must(t, st.Announce(t.Context(), "192.0.2.1:53"))
	if list, err := st.Replicas(t.Context()); err != nil || len(list) != 1 || list[0] != "192.0.2.1:53" {
		t.Errorf("Replicas = %q, %v", list, err)
	}
}

// Redis restarts with its data, and a value is removed before a replica listens
// again: that replica cannot tell whether it was removed or lost, and is told again.
func TestRedisRemovedAfterRestart(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--dir", t.TempDir(), "--appendonly", "yes", "--appendfsync", "always")
	open := opener(t, store.RedisOptions{URL: server.URL()})
	writer, c := open(), follow(t, open())
	follow(t, writer)
	var ids []uuid.UUID
	for range 20 {
		ids = append(ids, uuid.New())
		must(t, writer.Add(t.Context(), ids[len(ids)-1], "v"))
	}
	eventually(t, "all are there", func() bool { return c.Len() == len(ids) })
	server.Kill()
	time.Sleep(2 * time.Second) // the pauses between retries grow
	server.Run()
	begin := time.Now()
	for _, id := range ids {
		eventually(t, "a value can be removed", func() bool { return writer.Remove(t.Context(), id, "v") == nil })
	}
	eventually(t, "all are gone", func() bool { return c.Len() == 0 })
	if d := time.Since(begin); d > 5*time.Second {
		t.Errorf("only after %v", d)
	}
}
