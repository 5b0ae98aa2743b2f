package store_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signpost-acme/signpost/internal/redistest"
	"github.com/signpost-acme/signpost/internal/store"
)

// withUser returns a store for a user of Redis whose rights a test can take away.
func withUser(t *testing.T) (*redistest.Server, store.Store) {
	t.Helper()
	server := redistest.Start(t, "--user", "signpost", "on", ">pw", "~signpost:*", "&signpost:*", "+@all")
	return server, opener(t, store.RedisOptions{URL: server.URL(), Username: "signpost", Password: "pw"})()
}

func complete(c *store.Copy) bool {
	_, _, complete := c.Lookup(uuid.New())
	return complete
}

// soonStale waits until a copy no longer counts as complete: before others stop to
// wait for its replica.
func soonStale(t *testing.T, c *store.Copy, what string) {
	t.Helper()
	begin := time.Now()
	eventually(t, what, func() bool { return !complete(c) })
	if d := time.Since(begin); d > store.HeartbeatLifetime {
		t.Errorf("%s: only after %v", what, d)
	}
}

// live announces one replica until the test ends, and waits until st and c know it.
func live(t *testing.T, st store.Store, c *store.Copy) {
	t.Helper()
	go func() {
		for t.Context().Err() == nil {
			_ = st.Announce(t.Context(), "192.0.2.1:53")
			time.Sleep(200 * time.Millisecond)
		}
	}()
	eventually(t, "the replica is live", func() bool { list, _ := st.Replicas(t.Context()); return len(list) == 1 && complete(c) })
}

// A replica whose heartbeats do not arrive does not say what is not there, however
// well it reads: others do not wait for it.
func TestRedisHeartbeatsFail(t *testing.T) {
	t.Parallel()
	server, st := withUser(t)
	c := follow(t, st)
	live(t, st, c)
	server.Do("ACL", "SETUSER", "signpost", "-zadd")
	soonStale(t, c, "heartbeats fail")
	server.Do("ACL", "SETUSER", "signpost", "+zadd")
	eventually(t, "heartbeats arrive again", func() bool { return complete(c) })
}

// Hearing from Redis does not make a copy complete that cannot read: neither after
// a new subscription, before which it has missed something, nor after messages. The
// others stop to wait for this replica, whose heartbeats may fail too.
func TestRedisHeardButNotRead(t *testing.T) {
	t.Parallel()
	server, st := withUser(t)
	c := follow(t, st)
	writer, id, second := opener(t, store.RedisOptions{URL: server.URL()})(), uuid.New(), uuid.New()

	server.Do("ACL", "SETUSER", "signpost", "-zrange")
	must(t, writer.Add(t.Context(), id, "v"))
	soonStale(t, c, "a change cannot be read")
	server.Do("ACL", "SETUSER", "signpost", "+zrange")
	eventually(t, "it can", holds(c, id, "v"))

	server.Do("ACL", "SETUSER", "signpost", "-scan")
	server.Do("CLIENT", "KILL", "TYPE", "pubsub")
	soonStale(t, c, "what was missed cannot be read")
	must(t, writer.Add(t.Context(), second, "v"))
	time.Sleep(2 * time.Second) // the new subscription tells of it
	if complete(c) {
		t.Error("what was missed still cannot be read, and the copy is complete")
	}
	server.Do("ACL", "SETUSER", "signpost", "+scan")
	eventually(t, "all can be read", holds(c, second, "v"))
}
