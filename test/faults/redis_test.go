package faults

import (
	"testing"
	"time"

	"github.com/signpost-acme/signpost/internal/redistest"
)

// away is how long a fault lasts that is to show what is answered when Redis has
// been away for long.
const away = 9 * time.Second

// persistent returns what has a Redis keep its data, however it ends.
func persistent(t *testing.T) []string {
	return []string{"--appendonly", "yes", "--appendfsync", "always", "--dir", t.TempDir()}
}

func withRedis(t *testing.T, name string, args ...string) (*stage, *redistest.Server) {
	redis := redistest.Start(t, args...)
	s := newStage(t, name, redis.URL())
	s.start(2, false)
	return s, redis
}

func redisKilled(t *testing.T) row {
	s, redis := withRedis(t, "redis-killed", persistent(t)...)
	return s.run(fault{
		begin: redis.Kill, end: redis.Run, lasts: away,
		known: []string{"value"}, unknown: []string{nothing, servfail}, present: "fails", cleanUp: "fails",
	})
}

// What is presented stays answered although Redis comes back without it: it is
// kept until it is put back from its Challenge.
func redisEmpty(t *testing.T) row {
	s, redis := withRedis(t, "redis-empty")
	return s.run(fault{
		begin: redis.Kill, end: redis.Run,
		known: []string{"value"}, unknown: []string{nothing}, may: []string{servfail}, present: "fails", cleanUp: "fails",
	})
}

func redisFlushed(t *testing.T) row {
	s, redis := withRedis(t, "redis-flushed")
	return s.run(fault{
		begin: func() { redis.Do("FLUSHALL") }, lasts: 3 * time.Second,
		known: []string{"value"}, unknown: []string{nothing}, present: "succeeds", cleanUp: "succeeds",
	})
}

func redisPaused(t *testing.T) row {
	s, redis := withRedis(t, "redis-paused")
	return s.run(fault{
		begin: redis.Pause, end: redis.Resume, lasts: away,
		known: []string{"value"}, unknown: []string{nothing, servfail}, present: "fails", cleanUp: "fails",
	})
}

func redisSlow(t *testing.T) row {
	redis := redistest.Start(t)
	p := newProxy(t, redis.Addr)
	s := newStage(t, "redis-slow", "redis://"+p.Addr().String())
	s.start(2, false)
	return s.run(fault{
		begin: func() { p.delay.Store(int64(300 * time.Millisecond)) }, end: func() { p.delay.Store(0) }, lasts: away,
		known: []string{"value"}, unknown: []string{nothing}, may: []string{servfail}, present: "succeeds", cleanUp: "succeeds",
	})
}

func redisFull(t *testing.T) row {
	s, redis := withRedis(t, "redis-full")
	return s.run(fault{
		begin: func() { redis.Do("CONFIG", "SET", "maxmemory", 1) }, end: func() { redis.Do("CONFIG", "SET", "maxmemory", 0) }, lasts: away,
		known: []string{"value"}, unknown: []string{nothing, servfail}, present: "fails", cleanUp: "succeeds",
	})
}

func redisReadOnly(t *testing.T) row {
	s, redis := withRedis(t, "redis-read-only")
	return s.run(fault{
		begin: func() { redis.Do("REPLICAOF", "127.0.0.1", redistest.FreePort(t)) }, end: func() { redis.Do("REPLICAOF", "NO", "ONE") }, lasts: away,
		known: []string{"value"}, unknown: []string{nothing, servfail}, present: "fails", cleanUp: "fails",
	})
}
