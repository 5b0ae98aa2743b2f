package store_test

import (
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signpost-acme/signpost/internal/redistest"
	"github.com/signpost-acme/signpost/internal/store"
)

// startPair starts a master with a replica.
func startPair(t *testing.T, args ...string) (master, replica *redistest.Server) {
	t.Helper()
	master = redistest.Start(t, append([]string{"--repl-ping-replica-period", "1", "--repl-diskless-sync-delay", "0"}, args...)...)
	host, port, _ := net.SplitHostPort(master.Addr)
	replica = redistest.Start(t, "--replicaof", host, port)
	eventually(t, "the replica is in sync", func() bool {
		return strings.Contains(replica.Do("INFO", "replication").(string), "master_link_status:up")
	})
	return master, replica
}

const splitLine = "Redis could have two masters at once"

// Two masters at once: a replica on the old one's side is fresh for ever, unless
// min-replicas-to-write has the old one refuse heartbeats.
func TestRedisTwoMasters(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args    []string
		warned  int
		bounded bool
	}{
		"unbounded": {nil, 1, false},
		"bounded":   {[]string{"--min-replicas-to-write", "1", "--min-replicas-max-lag", "2"}, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			old, other := startPair(t, tc.args...)
			var log logged
			st, err := store.NewRedis(origin, store.RedisOptions{URL: old.URL()}, slog.New(slog.NewTextHandler(&log, nil)))
			must(t, err)
			t.Cleanup(func() { st.Close() })
			c := follow(t, st)
			live(t, st, c)
			if n := log.count(splitLine); n != tc.warned {
				t.Errorf("the log warns %d times, want %d: %s", n, tc.warned, log.text())
			}

			other.Do("REPLICAOF", "NO", "ONE") // as a fail-over that the old master's side does not hear of
			writer, id := opener(t, store.RedisOptions{URL: other.URL()})(), uuid.New()
			must(t, writer.Add(t.Context(), id, "v"))
			if !tc.bounded {
				time.Sleep(store.HeartbeatLifetime + time.Second)
				if !complete(c) {
					t.Error("the copy is not fresh: docs/reliability.md says that it stays so")
				}
				return
			}
			begin := time.Now()
			eventually(t, "the copy is not fresh any more", func() bool { return !complete(c) })
			// The old master notices after min-replicas-max-lag, and with up to a second's delay.
			if d := time.Since(begin); d > store.HeartbeatLifetime+3*time.Second {
				t.Errorf("only after %v", d)
			}
			if log.count("fewer replicas than its min-replicas-to-write") == 0 {
				t.Errorf("the log does not say why: %s", log.text())
			}
		})
	}
}

// A single server has no replicas that could be taken for the master.
func TestRedisAloneIsNotSplit(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	var log logged
	st, err := store.NewRedis(origin, store.RedisOptions{URL: server.URL()}, slog.New(slog.NewTextHandler(&log, nil)))
	must(t, err)
	t.Cleanup(func() { st.Close() })
	must(t, st.Announce(t.Context(), "192.0.2.1:53"))
	if _, err := st.Replicas(t.Context()); err != nil || log.count(splitLine) != 0 {
		t.Errorf("%v: %s", err, log.text())
	}
}
