package store_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signpost-acme/signpost/internal/redistest"
	"github.com/signpost-acme/signpost/internal/store"
)

// Redis comes back with an older snapshot, and with it the store ID: what was
// presented since stays answered until it can have been put back, the list of
// replicas is not believed, and what was removed since is known to have come back.
func TestRedisOlderSnapshot(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server := redistest.Start(t, "--dir", dir, "--dbfilename", "dump.rdb", "--shutdown-on-sigterm", "nosave")
	var log logged
	st, err := store.NewRedis(origin, store.RedisOptions{URL: server.URL()}, slog.New(slog.NewTextHandler(&log, nil)))
	must(t, err)
	t.Cleanup(func() { st.Close() })
	c, other := follow(t, st), opener(t, store.RedisOptions{URL: server.URL()})()
	lost, partly, removed, kept := uuid.New(), uuid.New(), uuid.New(), uuid.New()
	for _, id := range []uuid.UUID{removed, kept} {
		must(t, st.Add(t.Context(), id, "v"))
	}
	must(t, st.Add(t.Context(), partly, "a"))
	must(t, other.Announce(t.Context(), "192.0.2.1:53"))
	eventually(t, "the replicas are known", func() bool { list, err := st.Replicas(t.Context()); return err == nil && len(list) == 1 })
	server.Do("SAVE")
	snapshot, err := os.ReadFile(filepath.Join(dir, "dump.rdb"))
	must(t, err)
	must(t, st.Add(t.Context(), lost, "v"))
	must(t, st.Add(t.Context(), partly, "b"))
	must(t, st.Remove(t.Context(), removed, "v"))
	eventually(t, "all is heard of", func() bool {
		return holds(c, lost, "v")() && holds(c, partly, "a", "b")() && holds(c, removed)()
	})

	server.Kill()
	must(t, os.WriteFile(filepath.Join(dir, "dump.rdb"), snapshot, 0o600))
	server.Run()
	begin := time.Now()
	eventually(t, "the log says so", func() bool { return log.count("Redis may have lost") == 1 })
	must(t, other.Announce(t.Context(), "192.0.2.1:53"))
	if list, err := st.Replicas(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("Replicas = %q, %v, want none", list, err)
	}
	eventually(t, "what came back is known to have", func() bool { return slices.Equal(c.Returned()[removed], []string{"v"}) })
	if len(c.Returned()) != 1 {
		t.Errorf("%v came back, want %s alone", c.Returned(), removed)
	}
	must(t, st.Add(t.Context(), lost, "v")) // as the watch does
	must(t, st.Remove(t.Context(), removed, "v"))
	eventually(t, "what came back goes", func() bool { return holds(c, removed)() && len(c.Returned()) == 0 })
	for time.Since(begin) < 8*time.Second {
		if got, _, _ := c.Lookup(lost); len(got) != 1 {
			t.Fatalf("what was presented since is answered as %q", got)
		}
		if got, _, _ := c.Lookup(partly); len(got) != 2 {
			t.Fatalf("of two values %q are left", got)
		}
		time.Sleep(5 * time.Millisecond)
	}
	eventually(t, "what is not put back goes", holds(c, partly, "a"))
	if !holds(c, lost, "v")() || !holds(c, kept, "v")() {
		t.Error("a value is gone that was put back, or was there all the time")
	}
	must(t, other.Announce(t.Context(), "192.0.2.1:53"))
	if list, err := st.Replicas(t.Context()); err != nil || len(list) != 1 {
		t.Errorf("Replicas = %q, %v, want one", list, err)
	}
	if n := log.count("Redis may have lost"); n != 1 {
		t.Errorf("the log says %d times that Redis may have lost values", n)
	}
}

// A user who may not ask for the server's identity: all works but this, and the log says it once.
func TestRedisNoInfo(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--user", "signpost", "on", ">pw", "~signpost:*", "&signpost:*", "+@all", "-info")
	var log logged
	st, err := store.NewRedis(origin, store.RedisOptions{URL: server.URL(), Username: "signpost", Password: "pw"}, slog.New(slog.NewTextHandler(&log, nil)))
	must(t, err)
	t.Cleanup(func() { st.Close() })
	c, id := follow(t, st), uuid.New()
	must(t, st.Add(t.Context(), id, "v"))
	eventually(t, "the value is there", holds(c, id, "v"))
	for range 3 {
		must(t, st.Announce(t.Context(), "192.0.2.1:53"))
		if list, err := st.Replicas(t.Context()); err != nil || len(list) != 1 {
			t.Errorf("Replicas = %q, %v", list, err)
		}
	}
	if n := log.count("does not tell its identity"); n != 1 || strings.Contains(log.text(), "level=ERROR") {
		t.Errorf("the log says it %d times: %s", n, log.text())
	}
}
