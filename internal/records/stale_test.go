package records_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signpost-acme/signpost/internal/records"
	"github.com/signpost-acme/signpost/internal/redistest"
)

// Hearing from Redis does not make a copy complete that cannot read: neither after
// a new subscription, before which it has missed something, nor after messages. The
// others stop to wait for this replica, whose heartbeats may fail too.
func TestRedisHeardButNotRead(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--user", "signpost", "on", ">pw", "~signpost:*", "&signpost:*", "+@all")
	store, err := records.NewRedis(origin, records.RedisOptions{URL: server.URL(), Username: "signpost", Password: "pw"}, slog.New(slog.DiscardHandler))
	must(t, err)
	t.Cleanup(func() { store.Close() })
	c := follow(t, store)
	writer, id, second := opener(t, records.RedisOptions{URL: server.URL()})(), uuid.New(), uuid.New()
	complete := func() bool { _, _, complete := c.Lookup(uuid.New()); return complete }
	soonStale := func(what string) {
		t.Helper()
		begin := time.Now()
		eventually(t, what, func() bool { return !complete() })
		if d := time.Since(begin); d > records.HeartbeatLifetime {
			t.Errorf("%s: only after %v", what, d)
		}
	}

	server.Do("ACL", "SETUSER", "signpost", "-zrange")
	must(t, writer.Add(t.Context(), id, "v"))
	soonStale("a change cannot be read")
	server.Do("ACL", "SETUSER", "signpost", "+zrange")
	eventually(t, "it can", holds(c, id, "v"))

	server.Do("ACL", "SETUSER", "signpost", "-scan")
	server.Do("CLIENT", "KILL", "TYPE", "pubsub")
	soonStale("what was missed cannot be read")
	must(t, writer.Add(t.Context(), second, "v"))
	time.Sleep(2 * time.Second) // the new subscription tells of it
	if complete() {
		t.Error("what was missed still cannot be read, and the copy is complete")
	}
	server.Do("ACL", "SETUSER", "signpost", "+scan")
	eventually(t, "all can be read", holds(c, second, "v"))
}
