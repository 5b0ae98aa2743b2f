package store_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signpost-acme/signpost/internal/redistest"
	"github.com/signpost-acme/signpost/internal/store"
)

// What one replica has found the others of its cluster hear once, and those of another
// cluster never; one that has just started hears everything.
func TestFound(t *testing.T) {
	for name, start := range stores {
		if name == "memory" {
			continue // has no other replicas
		}
		t.Run(name, func(t *testing.T) {
			open := start(t)
			a, b, one, other := open(), open(), uuid.New(), uuid.New()
			ids := make([]uuid.UUID, 1200) // more than are read at once
			for i := range ids {
				ids[i] = uuid.New()
				must(t, a.PutFound(t.Context(), one, ids[i], []byte(ids[i].String())))
			}
			must(t, a.PutFound(t.Context(), other, ids[0], []byte("of another cluster")))
			found, err := b.Found(t.Context(), one, time.Time{})
			must(t, err)
			if len(found.New) != len(ids) {
				t.Errorf("%d of %d", len(found.New), len(ids))
			}
			for _, id := range ids {
				if string(found.New[id]) != id.String() {
					t.Fatalf("%s: %q", id, found.New[id])
				}
			}
			since := found.Until
			must(t, b.PutFound(t.Context(), one, ids[1], []byte("again")))
			if found, err = a.Found(t.Context(), one, since); err != nil || string(found.New[ids[1]]) != "again" || found.Until.Before(since) {
				t.Errorf("%q, %v", found.New[ids[1]], err)
			}
			if found, err = a.Found(t.Context(), one, since.Add(time.Hour)); err != nil || len(found.New) != 0 {
				t.Errorf("%d that are older, %v", len(found.New), err)
			}
			if found, err = a.Found(t.Context(), other, time.Time{}); err != nil || len(found.New) != 1 || string(found.New[ids[0]]) != "of another cluster" {
				t.Errorf("%q, %v", found.New, err)
			}
			if values, err := a.Values(t.Context(), ids[0]); err != nil || len(values) != 0 {
				t.Errorf("it counts as a value: %q, %v", values, err)
			}
		})
	}
}

// Garbage and what is too large are left out, and what nobody finds again expires.
func TestFoundBounds(t *testing.T) {
	server := redistest.Start(t)
	s := opener(t, store.RedisOptions{URL: server.URL()})()
	cluster, id, gone := uuid.New(), uuid.New(), uuid.New()
	must(t, s.PutFound(t.Context(), cluster, id, bytes.Repeat([]byte("x"), store.MaxFound+1)))
	list := "signpost:{" + origin + "}:found:" + cluster.String()
	server.Do("ZADD", list, time.Now().UnixMilli(), "no uuid")
	server.Do("ZADD", list, time.Now().UnixMilli(), gone.String())
	server.Do("ZADD", list, time.Now().Add(-2*store.FoundLifetime).UnixMilli(), uuid.NewString())
	if found, err := s.Found(t.Context(), cluster, time.Time{}); err != nil || len(found.New) != 0 {
		t.Errorf("%d, %v", len(found.New), err)
	}
	must(t, s.PutFound(t.Context(), cluster, id, []byte("x")))
	if n := server.Do("ZCARD", list); n != int64(3) {
		t.Errorf("%v in the list", n)
	}
	for _, key := range []string{list, list + ":" + id.String()} {
		if ttl, ok := server.Do("PTTL", key).(int64); !ok || ttl <= 0 || time.Duration(ttl)*time.Millisecond > store.FoundLifetime {
			t.Errorf("%s lives for %v ms", key, ttl)
		}
	}
}
