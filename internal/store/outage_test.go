package store_test

import (
	"bytes"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signpost-acme/signpost/internal/redistest"
	"github.com/signpost-acme/signpost/internal/store"
)

// proxy stands between a client and Redis. A real network can lose a machine
// without a word; this is how a test has one do it.
type proxy struct {
	net.Listener
	era atomic.Int64 // connections of an earlier era stay open, and nothing passes
}

func newProxy(t *testing.T, server *redistest.Server) *proxy {
	t.Helper()
	p := &proxy{}
	p.Listener = redistest.Relay(t, server.Addr, func(client, upstream net.Conn) {
		era := p.era.Load()
		pass := func(to, from net.Conn) {
			buf := make([]byte, 32<<10)
			for {
				n, err := from.Read(buf)
				if p.era.Load() != era {
					select {} // neither data nor an end
				}
				if err != nil {
					to.Close()
					return
				}
				if _, err := to.Write(buf[:n]); err != nil {
					return
				}
			}
		}
		go pass(upstream, client)
		go pass(client, upstream)
	})
	return p
}

// The machine that Redis was on is gone without closing its connections, and
// Redis is back elsewhere: changes are heard again within seconds.
func TestRedisHalfOpenSubscription(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	p := newProxy(t, server)
	c := follow(t, opener(t, store.RedisOptions{URL: "redis://" + p.Addr().String()})())
	writer, id := opener(t, store.RedisOptions{URL: server.URL()})(), uuid.New()
	must(t, writer.Add(t.Context(), id, "before"))
	eventually(t, "a change is heard", holds(c, id, "before"))
	p.era.Add(1)
	must(t, writer.Add(t.Context(), id, "after"))
	begin := time.Now()
	eventually(t, "a change is heard again", holds(c, id, "after", "before"))
	if d := time.Since(begin); d > 10*time.Second {
		t.Errorf("it took %v", d)
	}
}

// A replica that has been cut off for so long that nobody waits for it any more
// answers what it knows, but no longer says that there is nothing else.
func TestRedisCutOff(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	st, id := opener(t, store.RedisOptions{URL: server.URL()})(), uuid.New()
	must(t, st.Add(t.Context(), id, "v"))
	c := follow(t, st)
	complete := func() bool { _, _, complete := c.Lookup(uuid.New()); return complete }
	server.Pause()
	begin := time.Now()
	time.Sleep(time.Second)
	if !complete() {
		t.Error("after a short while the copy says already that it may be stale")
	}
	eventually(t, "the copy says that it may be stale", func() bool { return !complete() })
	// Others wait for this replica until its heartbeat has run out.
	if d := time.Since(begin); d > store.HeartbeatLifetime {
		t.Errorf("only after %v", d)
	}
	if values, _, _ := c.Lookup(id); len(values) != 1 {
		t.Error("a known value is no longer served")
	}
	if !c.Synced() {
		t.Error("the copy says that it was never read")
	}
	server.Resume()
	eventually(t, "the copy is complete again", complete)
}

// logged is a log that a test can read while it is written.
type logged struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(b) //nolint:staticcheck // Write would be this method
}

func (l *logged) count(s string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.String(), s)
}

func (l *logged) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.String()
}

// A user who may only read: the copy works, and the log says once what is missing.
func TestRedisReadOnlyUser(t *testing.T) {
	t.Parallel()
	rights := []string{"--user", "reader", "on", ">pw", "~signpost:*", "resetchannels", "+@read", "+@connection", "+time", "+scan"}
	if redistest.Version() >= 602 { // before, no right for a channel can be missing
		rights = append(rights, "+subscribe")
	}
	server := redistest.Start(t, rights...)
	var log logged
	st, err := store.NewRedis(origin, store.RedisOptions{URL: server.URL(), Username: "reader", Password: "pw"}, slog.New(slog.NewTextHandler(&log, nil)))
	must(t, err)
	t.Cleanup(func() { st.Close() })
	c := follow(t, st)
	for range 5 {
		if err := st.Announce(t.Context(), "192.0.2.1:53"); err == nil || !strings.Contains(err.Error(), "NOPERM") {
			t.Fatalf("Announce = %v, want the reason", err)
		}
		if _, err := st.Replicas(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	writer, id := opener(t, store.RedisOptions{URL: server.URL()})(), uuid.New()
	must(t, writer.Add(t.Context(), id, "v"))
	eventually(t, "a change is found although nobody tells of it", holds(c, id, "v"))
	if n := log.count("cannot be written to"); n != 1 {
		t.Errorf("the log says %d times that Redis cannot be written to", n)
	}
	if n := log.count("the subscription to changes in Redis has failed"); n != 1 {
		t.Errorf("the log says %d times that Redis does not tell what changes", n)
	}
}
