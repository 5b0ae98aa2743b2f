package main

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/miekg/dns"
	"github.com/redis/go-redis/v9"

	"github.com/signpost-acme/signpost/internal/store"
	"github.com/signpost-acme/signpost/test/world"
)

// forgetSubscribers closes the subscriptions: whoever had one reads everything again.
func forgetSubscribers(ctx context.Context, client *redis.Client) {
	client.Do(ctx, "CLIENT", "KILL", "TYPE", "pubsub")
}

// resync takes a name away, without telling, and the subscription: when the name
// is gone everything has been read, because only the end of that removes names.
func resync(ctx context.Context, client *redis.Client, s *server, id string) (time.Duration, error) {
	if err := client.Del(ctx, redisKey(id)).Err(); err != nil {
		return 0, err
	}
	begin := time.Now()
	forgetSubscribers(ctx, client)
	err := until(ctx, s.address, id, hasNone)
	return time.Since(begin), err
}

// change adds a second value to names, and takes it away again, until ctx is
// done. It returns how many changes there were in a second.
func change(ctx context.Context, client *redis.Client, ids []string) float64 {
	const perTick = 10
	tick := time.NewTicker(time.Second * perTick / changesPerSecond)
	defer tick.Stop()
	begin, n := time.Now(), 0
	expiry := float64(begin.Add(time.Hour).UnixMilli())
	for ctx.Err() == nil {
		_, err := client.Pipelined(context.WithoutCancel(ctx), func(pipe redis.Pipeliner) error {
			for range perTick {
				id := ids[rand.IntN(len(ids))]
				if n++; n%2 == 0 {
					pipe.ZAdd(ctx, redisKey(id), redis.Z{Score: expiry, Member: "second value"})
				} else {
					pipe.ZRem(ctx, redisKey(id), "second value")
				}
				pipe.Publish(ctx, "signpost:{"+world.Zone+"}", id)
			}
			return nil
		})
		if err != nil {
			break
		}
		<-tick.C
	}
	return float64(n) / time.Since(begin).Seconds()
}

// visible returns the times from the beginning of a change until all replicas answer with it.
func visible(ctx context.Context, replicas []*server) (p50, p99 time.Duration, err error) {
	store, err := store.NewRedis(world.Zone, store.RedisOptions{URL: "redis://" + world.RedisAddress + "/0"}, slog.New(slog.DiscardHandler))
	if err != nil {
		return 0, 0, err
	}
	defer store.Close()
	var times []time.Duration
	for range visibleChanges {
		id := uuid.New()
		begin := time.Now()
		if err := store.Add(ctx, id, value); err != nil {
			return 0, 0, err
		}
		errs := make([]error, len(replicas))
		var wg sync.WaitGroup
		for i, s := range replicas {
			wg.Go(func() {
				errs[i] = until(ctx, s.address, id.String(), func(m *dns.Msg) bool { return len(m.Answer) == 1 })
			})
		}
		wg.Wait()
		times = append(times, time.Since(begin))
		for _, err := range append(errs, store.Remove(ctx, id, value)) {
			if err != nil {
				return 0, 0, err
			}
		}
	}
	slices.Sort(times)
	return times[len(times)/2], times[len(times)*99/100], nil
}
