package store_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/signpost-acme/signpost/internal/redistest"
	"github.com/signpost-acme/signpost/internal/store"
)

// Two servers that announce the same address are told apart, and the log of both
// names it once. One that has taken the address over from another that is gone is
// not doubled.
func TestRedisSameAddress(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	const address = "10.0.2.15:53"
	open := func(log *logged) *store.Redis {
		st, err := store.NewRedis(origin, store.RedisOptions{URL: server.URL()}, slog.New(slog.NewTextHandler(log, nil)))
		must(t, err)
		t.Cleanup(func() { st.Close() })
		return st
	}
	var one, two, three logged
	first, second, third := open(&one), open(&two), open(&three)
	must(t, first.Announce(t.Context(), address)) // and it crashes
	for range 3 {
		must(t, second.Announce(t.Context(), address))
		must(t, third.Announce(t.Context(), "10.0.2.16:53"))
		time.Sleep(10 * time.Millisecond)
	}
	const line = "another DNS server announces the same address"
	if n := one.count(line) + two.count(line) + three.count(line); n != 0 {
		t.Errorf("a server that is gone counts as another one: %s%s%s", one.text(), two.text(), three.text())
	}
	for range 5 {
		must(t, first.Announce(t.Context(), address))
		must(t, second.Announce(t.Context(), address))
		must(t, third.Announce(t.Context(), "10.0.2.16:53"))
		time.Sleep(10 * time.Millisecond)
	}
	for _, log := range []*logged{&one, &two} {
		if log.count(line) != 1 || !strings.Contains(log.text(), address) {
			t.Errorf("the log says it %d times: %s", log.count(line), log.text())
		}
	}
	if three.count(line) != 0 {
		t.Errorf("a server with an address of its own: %s", three.text())
	}
	if list, err := second.Replicas(t.Context()); err != nil || len(list) != 2 {
		t.Errorf("Replicas = %q, %v, want both addresses", list, err)
	}
	must(t, first.Withdraw(t.Context(), address))
	must(t, second.Withdraw(t.Context(), address))
	must(t, third.Withdraw(t.Context(), "10.0.2.16:53"))
	if keys := server.Do("KEYS", "*").([]any); len(keys) != 1 { // the store ID
		t.Errorf("keys %q are left", keys)
	}
}
