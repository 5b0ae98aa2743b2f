package store_test

import (
	"context"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signpost-acme/signpost/internal/redistest"
	"github.com/signpost-acme/signpost/internal/store"
)

// silentServer accepts connections and never answers.
func silentServer(t *testing.T) (address string) {
	t.Helper()
	l := redistest.Accept(t, func(conn net.Conn) { t.Cleanup(func() { conn.Close() }) })
	return l.Addr().String()
}

// A Redis that accepts connections and never answers is an outage, which the log
// names; a call that its caller gives up is not.
func TestRedisSilent(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		call func(ctx context.Context, s store.Store) error
	}{
		{"Add", func(ctx context.Context, s store.Store) error { return s.Add(ctx, uuid.New(), "v") }},
		{"Remove", func(ctx context.Context, s store.Store) error { return s.Remove(ctx, uuid.New(), "v") }},
		{"Values", func(ctx context.Context, s store.Store) error { _, err := s.Values(ctx, uuid.New()); return err }},
		{"Announce", func(ctx context.Context, s store.Store) error { return s.Announce(ctx, "192.0.2.1:53") }},
		{"Withdraw", func(ctx context.Context, s store.Store) error { return s.Withdraw(ctx, "192.0.2.1:53") }},
		{"Replicas", func(ctx context.Context, s store.Store) error { _, err := s.Replicas(ctx); return err }},
		{"Asked", func(ctx context.Context, s store.Store) error { _, err := s.Asked(ctx, uuid.New()); return err }},
		{"AddAsked", func(ctx context.Context, s store.Store) error {
			return s.AddAsked(ctx, uuid.New(), map[string]uint64{"192.0.2.0/24": 1})
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			for _, given := range []bool{true, false} {
				var log logged
				st, err := store.NewRedis(origin, store.RedisOptions{URL: "redis://" + silentServer(t)}, slog.New(slog.NewTextHandler(&log, nil)))
				must(t, err)
				t.Cleanup(func() { st.Close() })
				ctx, want := t.Context(), 1
				if given {
					canceled, cancel := context.WithCancel(ctx)
					time.AfterFunc(100*time.Millisecond, cancel)
					ctx, want = canceled, 0
				}
				begin := time.Now()
				if err := tc.call(ctx, st); err == nil {
					t.Error("it succeeds")
				}
				if d := time.Since(begin); d > 5*time.Second {
					t.Errorf("it takes %v", d)
				}
				if n := log.count("level=ERROR"); n != want {
					t.Errorf("given up: %v: the log has %d errors, want %d: %s", given, n, want, log.text())
				}
			}
		})
	}
}
