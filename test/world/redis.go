package world

import (
	"context"
	"net"
	"slices"
	"sync"
	"syscall"

	"github.com/signpost-acme/signpost/test/process"

	"github.com/redis/go-redis/v9"
)

// Redis is a redis-server without persistence.
type Redis struct{ *process.Process }

func newRedis(dir, bin string) *Redis {
	host, port, _ := net.SplitHostPort(RedisAddress)
	return &Redis{&process.Process{Name: "redis", Dir: dir, Args: []string{bin, "--bind", host, "--port", port,
		"--protected-mode", "no", "--save", "", "--appendonly", "no", "--dir", dir}}}
}

// Kill ends Redis and all that is in it.
func (r *Redis) Kill() { r.End(syscall.SIGKILL) }

// Run starts it again, empty.
func (r *Redis) Run(ctx context.Context) error {
	if err := r.Start(nil); err != nil {
		return err
	}
	return r.Listens(ctx, RedisAddress)
}

// Keys returns the keys that match the pattern.
func (r *Redis) Keys(ctx context.Context, pattern string) ([]string, error) {
	c := redis.NewClient(&redis.Options{Addr: RedisAddress})
	defer c.Close()
	return c.Keys(ctx, pattern).Result()
}

// Values returns the members of a sorted set.
func (r *Redis) Values(ctx context.Context, key string) ([]string, error) {
	c := redis.NewClient(&redis.Options{Addr: RedisAddress})
	defer c.Close()
	return c.ZRange(ctx, key, 0, -1).Result()
}

// Changes begins to note what is published on a channel; every change of a record
// is. The function returns what has been there so far, and goes on noting until
// ctx is done.
func (r *Redis) Changes(ctx context.Context, channel string) func() []string {
	c := redis.NewClient(&redis.Options{Addr: RedisAddress})
	messages := c.Subscribe(ctx, channel)
	_, err := messages.Receive(ctx) // from now on nothing is missed
	var mu sync.Mutex
	var seen []string
	if err != nil {
		seen = []string{err.Error()}
	}
	go func() {
		defer c.Close()
		defer messages.Close()
		for {
			select {
			case <-ctx.Done():
				return
			case m, ok := <-messages.Channel():
				if !ok {
					return
				}
				mu.Lock()
				seen = append(seen, m.Payload)
				mu.Unlock()
			}
		}
	}()
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(seen)
	}
}

// Flush makes Redis forget everything.
func (r *Redis) Flush(ctx context.Context) error {
	c := redis.NewClient(&redis.Options{Addr: RedisAddress})
	defer c.Close()
	return c.FlushAll(ctx).Err()
}

// Forget makes Redis lose a key, without telling anybody.
func (r *Redis) Forget(ctx context.Context, key string) error {
	c := redis.NewClient(&redis.Options{Addr: RedisAddress})
	defer c.Close()
	return c.Del(ctx, key).Err()
}
