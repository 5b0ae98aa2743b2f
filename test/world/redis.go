package world

import (
	"context"
	"net"
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

// Flush makes Redis forget everything.
func (r *Redis) Flush(ctx context.Context) error {
	c := redis.NewClient(&redis.Options{Addr: RedisAddress})
	defer c.Close()
	return c.FlushAll(ctx).Err()
}
