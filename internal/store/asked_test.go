package store_test

import (
	"fmt"
	"maps"
	"net/netip"
	"testing"

	"github.com/google/uuid"

	"github.com/signpost-acme/signpost/internal/store"
)

// Counts add up over replicas, by network, and are gone with the value.
func TestAsked(t *testing.T) {
	forEachStore(t, func(t *testing.T, open func() store.Store) {
		ctx, id, s := t.Context(), uuid.New(), open()
		want := func(what string, want map[string]uint64) {
			t.Helper()
			if got, err := open().Asked(ctx, id); err != nil || !maps.Equal(got, want) {
				t.Errorf("%s: Asked = %v, %v, want %v", what, got, err, want)
			}
		}
		must(t, s.AddAsked(ctx, id, map[string]uint64{"192.0.2.0/24": 1}))
		want("a name without values", nil)
		must(t, s.Add(ctx, id, "value"))
		must(t, s.AddAsked(ctx, id, map[string]uint64{"192.0.2.0/24": 1}))
		must(t, open().AddAsked(ctx, id, map[string]uint64{"192.0.2.0/24": 2, "2001:db8:1::/48": 3}))
		want("two replicas", map[string]uint64{"192.0.2.0/24": 3, "2001:db8:1::/48": 3})
		must(t, s.Remove(ctx, id, "value"))
		want("removed", nil)
	})
}

func TestNote(t *testing.T) {
	m := store.NewMemory()
	c := follow(t, m)
	id, other := uuid.New(), uuid.New()
	must(t, m.Add(t.Context(), id, "value"))
	note := func(id uuid.UUID, addr string) { c.Note(id, netip.MustParseAddr(addr)) }
	for _, addr := range []string{"192.0.2.1", "192.0.2.77", "::ffff:192.0.2.9", "2001:db8:1:2::3", "2001:db8:1:ffff::", "198.51.100.1"} {
		note(id, addr)
	}
	note(other, "192.0.2.1") // has no values
	must(t, m.Add(t.Context(), id, "second"))
	note(id, "198.51.100.2") // counts go on when values change
	got := c.TakeAsked()
	if want := map[string]uint64{"192.0.2.0/24": 3, "2001:db8:1::/48": 2, "198.51.100.0/24": 2}; len(got) != 1 || !maps.Equal(got[id], want) {
		t.Errorf("TakeAsked = %v, want %v under %s", got, want, id)
	}
	if again := c.TakeAsked(); len(again) != 0 {
		t.Errorf("taken twice: %v", again)
	}
	for i := range 100 { // more networks than are told apart
		note(id, fmt.Sprintf("10.0.%d.1", i))
	}
	total := uint64(0)
	counts := c.TakeAsked()[id]
	for _, n := range counts {
		total += n
	}
	if total != 100 || len(counts) > 9 || counts[store.OtherNetworks] == 0 {
		t.Errorf("a hundred networks: %v", counts)
	}
	if n := testing.AllocsPerRun(100, func() { note(id, "10.0.0.1") }); n > 1 { // parsing the address aside
		t.Errorf("Note allocates %v times", n)
	}
}
