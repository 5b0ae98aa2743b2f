package store_test

import (
	"log/slog"
	"maps"
	"testing"

	"github.com/signpost-acme/signpost/internal/redistest"
	"github.com/signpost-acme/signpost/internal/store"
)

// Heartbeats say which replicas are primaries, and for whom, until they are withdrawn.
func TestRedisPrimaries(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	addresses := map[string]string{"10.0.0.1:53": "one", "10.0.0.2:53": "other", "10.0.0.3:53": ""}
	stores := map[string]*store.Redis{}
	for address, mark := range addresses {
		st, err := store.NewRedis(origin, store.RedisOptions{URL: server.URL()}, slog.New(slog.DiscardHandler))
		must(t, err)
		t.Cleanup(func() { st.Close() })
		st.Transfers(mark)
		must(t, st.Announce(t.Context(), address))
		stores[address] = st
	}
	expect := func(want map[string]string) {
		t.Helper()
		got, err := stores["10.0.0.3:53"].Primaries(t.Context())
		must(t, err)
		if !maps.Equal(got, want) {
			t.Errorf("the primaries are %v, want %v", got, want)
		}
	}
	expect(map[string]string{"10.0.0.1:53": "one", "10.0.0.2:53": "other"})
	must(t, stores["10.0.0.2:53"].Withdraw(t.Context(), "10.0.0.2:53"))
	expect(map[string]string{"10.0.0.1:53": "one"})
}
