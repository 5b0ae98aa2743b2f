package solver_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/internal/poll"
	"github.com/signpost-acme/signpost/internal/store"
	"github.com/signpost-acme/signpost/solver"
)

// While a Present takes long, and until cert-manager has noted how it ended, every replica
// knows of it: the one that was called at once.
func TestPresentingIsKnown(t *testing.T) {
	t.Parallel()
	f := startSecondary(t)
	f.set(false)
	w := withSecondaries(t, "ns1.example.net="+f.addr)
	theirs, err := store.NewRedis(w.zone.Origin(), store.RedisOptions{URL: w.redis.URL()}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { theirs.Close() })
	other := solver.New(w.zone, theirs, solver.DNSServes, w.lookUp, slog.New(slog.DiscardHandler))
	c := cluster.Challenge{Scope: "cert-manager", Domain: "example.com", Key: key}
	another := cluster.Challenge{Scope: "cert-manager", Domain: "example.com", Key: "another"}
	if w.solver.Presenting(t.Context(), c) || other.Presenting(t.Context(), c) {
		t.Error("known before")
	}

	presented := make(chan error, 1)
	go func() { presented <- w.solver.Present(request()) }()
	poll.True(t, 10*time.Second, "the secondary is asked", func() bool { return f.asked.Load() > 0 })
	if !w.solver.Presenting(t.Context(), c) {
		t.Error("not known to the replica that presents")
	}
	poll.True(t, 10*time.Second, "the other replica knows", func() bool { return other.Presenting(t.Context(), c) })
	for _, s := range []*solver.Solver{w.solver, other} {
		if s.Presenting(t.Context(), another) {
			t.Error("another challenge is taken for this one")
		}
	}
	f.set(true)
	if err := <-presented; err != nil {
		t.Fatal(err)
	}
	if !w.solver.Presenting(t.Context(), c) || !other.Presenting(t.Context(), c) {
		t.Error("cert-manager has no time to note it")
	}
	poll.True(t, 10*time.Second, "both know that it has ended", func() bool {
		return !w.solver.Presenting(t.Context(), c) && !other.Presenting(t.Context(), c)
	})
}

// A Present that takes a moment leaves nothing behind, in no replica.
func TestPresentingQuickly(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, 1)
	if err := w.solver.Present(request()); err != nil {
		t.Fatal(err)
	}
	if w.solver.Presenting(t.Context(), cluster.Challenge{Scope: "cert-manager", Domain: "example.com", Key: key}) {
		t.Error("still known")
	}
	if keys := w.redis.Do("KEYS", "*seen*"); len(keys.([]any)) > 0 {
		t.Errorf("Redis has %v", keys)
	}
}
