package store_test

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signpost-acme/signpost/internal/redistest"
	"github.com/signpost-acme/signpost/internal/store"
)

const origin = "acme.example.com"

// stores is every implementation; each call of open gives another handle on the same content.
var stores = map[string]func(t *testing.T) (open func() store.Store){
	"memory": func(*testing.T) func() store.Store {
		m := store.NewMemory()
		return func() store.Store { return m }
	},
	"redis": func(t *testing.T) func() store.Store {
		return opener(t, store.RedisOptions{URL: redistest.Start(t).URL()})
	},
	"redis 6.0": func(t *testing.T) func() store.Store {
		return opener(t, store.RedisOptions{URL: "redis://" + newRedis60(t, redistest.Start(t))})
	},
	"redis with the documented rights": func(t *testing.T) func() store.Store {
		server := redistest.Start(t)
		server.Do(documentedUser(t, "\nACL SETUSER ")...)
		return opener(t, store.RedisOptions{URL: server.URL(), Username: "signpost", Password: "password"})
	},
	"redis with TLS and password": func(t *testing.T) func() store.Store {
		server, options := startTLS(t)
		_ = server
		return opener(t, options)
	},
	"sentinel": func(t *testing.T) func() store.Store {
		sentinel := redistest.StartSentinel(t, redistest.Start(t))
		return opener(t, store.RedisOptions{URL: sentinel.URL() + "?master_name=signpost"})
	},
	"cluster": func(t *testing.T) func() store.Store {
		return opener(t, clusterOptions(t, redistest.StartCluster(t)))
	},
}

func opener(t *testing.T, options store.RedisOptions) func() store.Store {
	return func() store.Store {
		r, err := store.NewRedis(origin, options, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close() })
		return r
	}
}

// clusterOptions gives a Cluster the documented user, and returns the options for it.
func clusterOptions(t *testing.T, c *redistest.Cluster) store.RedisOptions {
	t.Helper()
	for _, server := range c.Servers {
		server.Do(append(documentedUser(t, "\nACL SETUSER "), documentedUser(t, "With a Cluster also `")[2:]...)...)
	}
	return store.RedisOptions{URL: c.URL(), Username: "signpost", Password: "password"}
}

// documentedUser returns the command of docs/reliability.md that creates Signpost's
// user, with the rights in the line that begins so.
func documentedUser(t *testing.T, begin string) []any {
	t.Helper()
	b, err := os.ReadFile("../../docs/reliability.md")
	must(t, err)
	_, line, _ := strings.Cut(string(b), begin)
	line, _, _ = strings.Cut(line, "\n")
	line, _, _ = strings.Cut(line, "`")
	args := []any{"ACL", "SETUSER"}
	for _, field := range strings.Fields(line) {
		args = append(args, field)
	}
	return args
}

func forEachStore(t *testing.T, test func(t *testing.T, open func() store.Store)) {
	for name, start := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, start(t))
		})
	}
}

// follow runs Follow on a new copy until the test ends and waits for the first full read.
func follow(t *testing.T, s store.Store) *store.Copy {
	t.Helper()
	c := &store.Copy{}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { s.Follow(ctx, c); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	eventually(t, "first full read", c.Synced)
	return c
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: did not happen", what)
		}
	}
}

func holds(c *store.Copy, id uuid.UUID, want ...string) func() bool {
	return func() bool {
		got, _, complete := c.Lookup(id)
		return complete && slices.Equal(got, want)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestStore(t *testing.T) {
	forEachStore(t, func(t *testing.T, open func() store.Store) {
		ctx, id, other := t.Context(), uuid.New(), uuid.New()
		writer := open()
		must(t, writer.Add(ctx, id, "before"))
		one, two := follow(t, open()), follow(t, open())
		everywhere := func(what string, id uuid.UUID, want ...string) {
			t.Helper()
			eventually(t, what, holds(one, id, want...))
			eventually(t, what, holds(two, id, want...))
			got, err := writer.Values(ctx, id)
			if slices.Sort(got); err != nil || !slices.Equal(got, want) {
				t.Fatalf("%s: Values = %q, %v, want %q", what, got, err, want)
			}
		}
		everywhere("written before the copy", id, "before")
		must(t, writer.Add(ctx, id, "after"))
		everywhere("two values at once", id, "after", "before")
		must(t, writer.Add(ctx, id, "after"))
		everywhere("the same again", id, "after", "before")
		must(t, writer.Remove(ctx, id, "before"))
		everywhere("one removed, the other stays", id, "after")
		must(t, writer.Remove(ctx, id, "before"))
		must(t, writer.Remove(ctx, other, "never there"))
		everywhere("removing what is not there", id, "after")
		must(t, writer.Remove(ctx, id, "after"))
		everywhere("last one removed", id)
		if n := one.Len(); n != 0 {
			t.Errorf("Len = %d after everything was removed", n)
		}

		hostile := []string{"", " ", "123d==", "a\x00b\r\n*", `back\slash "quote"`, "\xff\xfe", string(make([]byte, store.MaxValueSize))}
		for _, v := range hostile {
			must(t, writer.Add(ctx, id, v))
		}
		slices.Sort(hostile)
		everywhere("any octets", id, hostile...)
	})
}

func TestReplicas(t *testing.T) {
	forEachStore(t, func(t *testing.T, open func() store.Store) {
		ctx, s, other := t.Context(), open(), open()
		want := func(want ...string) {
			t.Helper()
			got, err := s.Replicas(ctx)
			if err != nil || !slices.Equal(got, want) {
				t.Fatalf("Replicas = %q, %v, want %q", got, err, want)
			}
		}
		want()
		must(t, other.Announce(ctx, "192.0.2.2:53"))
		must(t, s.Announce(ctx, "192.0.2.1:53"))
		must(t, s.Announce(ctx, "192.0.2.1:53"))
		want("192.0.2.1:53", "192.0.2.2:53")
		must(t, s.Withdraw(ctx, "192.0.2.1:53"))
		must(t, s.Withdraw(ctx, "192.0.2.1:53"))
		want("192.0.2.2:53")
	})
}

func TestFollowEnds(t *testing.T) {
	forEachStore(t, func(t *testing.T, open func() store.Store) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { open().Follow(ctx, &store.Copy{}); close(done) }()
		cancel()
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			t.Fatal("Follow does not return although its context is done")
		}
	})
}
