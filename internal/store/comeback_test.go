package store_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signpost-acme/signpost/internal/redistest"
	"github.com/signpost-acme/signpost/internal/store"
)

// What is added just when Redis is back is on every replica soon, whether their
// subscriptions are back before it or after.
func TestRedisAddedWhenItComesBack(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	open := opener(t, store.RedisOptions{URL: server.URL()})
	first, second := open(), open()
	copies := []*store.Copy{follow(t, first), follow(t, second)}
	for i := range 6 {
		server.Kill()
		time.Sleep(time.Duration(i) * 150 * time.Millisecond)
		server.Run()
		time.Sleep(time.Duration(i%4) * 30 * time.Millisecond)
		id := uuid.New()
		eventually(t, "it is added", func() bool { return first.Add(t.Context(), id, "v") == nil })
		begin := time.Now()
		for n, c := range copies {
			for {
				got, _, _ := c.Lookup(id)
				if len(got) == 1 {
					break
				}
				if time.Since(begin) > 15*time.Second {
					t.Fatalf("round %d: copy %d does not have the value after %v", i, n, time.Since(begin))
				}
				time.Sleep(5 * time.Millisecond)
			}
			t.Logf("round %d: copy %d has the value after %v", i, n, time.Since(begin).Round(time.Millisecond))
		}
	}
}
