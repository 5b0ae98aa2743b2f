package store

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/signpost-acme/signpost/internal/poll"
	"github.com/signpost-acme/signpost/internal/redistest"
)

// holder is a hook of go-redis that can hold back one reply to a read of key.
type holder struct {
	key           string
	armed         atomic.Bool
	held, release chan struct{}
}

func (h *holder) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (h *holder) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (h *holder) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		reads := slices.ContainsFunc(cmds, func(c redis.Cmder) bool { return len(c.Args()) > 1 && c.Args()[1] == h.key })
		if reads && h.armed.CompareAndSwap(true, false) {
			close(h.held)
			<-h.release
		}
		return err
	}
}

// A full read reads the names again that its scan has not come by. When that reply
// is late, it must not undo what was read meanwhile.
func TestConfirmIsLate(t *testing.T) {
	t.Parallel()
	server, id := redistest.Start(t), uuid.New()
	open := func() *Redis {
		r, err := NewRedis("acme.example.com", RedisOptions{URL: server.URL()}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close() })
		return r
	}
	writer, r, c := open(), open(), &Copy{}
	h := &holder{key: r.key(id), held: make(chan struct{}), release: make(chan struct{})}
	r.client.AddHook(h)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { r.Follow(ctx, c); close(done) }()
	defer func() { cancel(); <-done }()
	has := func(want ...string) func() bool {
		return func() bool { got, _, fresh := c.Lookup(id); return fresh && slices.Equal(got, want) }
	}
	soon := func(what string, ok func() bool) {
		t.Helper()
		poll.True(t, 10*time.Second, what, ok)
	}
	soon("first full read", c.Synced)
	if err := writer.Add(ctx, id, "old"); err != nil {
		t.Fatal(err)
	}
	soon("the value is there", has("old"))
	server.Do("DEL", r.key(id))
	h.armed.Store(true)
	server.Do("CLIENT", "KILL", "TYPE", "pubsub") // a new subscription, and a full read
	<-h.held
	if err := writer.Add(ctx, id, "new"); err != nil {
		t.Fatal(err)
	}
	soon("the newer value is there", has("new"))
	close(h.release)
	for range 50 {
		if time.Sleep(10 * time.Millisecond); !has("new")() {
			t.Fatal("the newer value is gone: a late reply has undone it")
		}
	}
}
