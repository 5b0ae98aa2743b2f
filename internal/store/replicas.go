package store

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

// Announce implements Store.
func (r *Redis) Announce(ctx context.Context, address string) error {
	return r.call(ctx, &r.writing, func(ctx context.Context) error {
		sent := time.Now()
		now, err := r.now(ctx)
		if err != nil {
			return err
		}
		cmds, err := r.client.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
			pipe.ZRemRangeByScore(ctx, r.replicas, "-inf", score(now))
			// From before Redis' clock was set back: a replica that is live announces itself again.
			pipe.ZRemRangeByScore(ctx, r.replicas, score(now.Add(2*HeartbeatLifetime)), "+inf")
			pipe.ZAdd(ctx, r.replicas, redis.Z{Score: milliseconds(now.Add(HeartbeatLifetime)), Member: address})
			pipe.PExpireAt(ctx, r.replicas, now.Add(HeartbeatLifetime))
			return nil
		})
		if err != nil {
			return cause(cmds, err)
		}
		r.fresh.announced(sent, time.Now())
		return r.createStoreID(ctx)
	})
}

// Withdraw implements Store.
func (r *Redis) Withdraw(ctx context.Context, address string) error {
	return r.call(ctx, &r.writing, func(ctx context.Context) error {
		return r.client.ZRem(ctx, r.replicas, address).Err()
	})
}

// Replicas implements Store.
func (r *Redis) Replicas(ctx context.Context) (addresses []string, err error) {
	err = r.call(ctx, &r.reading, func(ctx context.Context) error {
		now, err := r.now(ctx)
		if err != nil {
			return err
		}
		if err := r.identify(ctx); err != nil {
			return err
		}
		addresses, err = r.client.ZRangeArgs(ctx, live(r.replicas, now)).Result()
		return err
	})
	if err != nil || !r.fresh.ReplicasKnown(time.Now()) {
		return nil, err
	}
	return sorted(addresses), nil
}

// identify tells freshness what identifies the store: the store ID, a random value
// that heartbeats create where there is none. When it is gone or another one, Redis
// was started without its data, or told to forget it. The values were not removed,
// and come back from the Challenges within seconds.
func (r *Redis) identify(ctx context.Context) error {
	id, err := r.client.Get(ctx, r.storeID).Result()
	if errors.Is(err, redis.Nil) {
		_ = r.createStoreID(ctx) // this user may only be allowed to read; then another replica creates it
		id, err = r.client.Get(ctx, r.storeID).Result()
	}
	if err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	if r.fresh.saw(id, time.Now()) {
		r.log.Warn("Redis has lost its records; they are served on for a while, and are put back from the Challenges of cert-manager")
	}
	return nil
}

// createStoreID creates the store ID if there is none, and sets its TTL.
func (r *Redis) createStoreID(ctx context.Context) error {
	_, err := r.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.SetNX(ctx, r.storeID, uuid.NewString(), 0)
		pipe.PExpire(ctx, r.storeID, Lifetime) // no value lives longer
		return nil
	})
	return err
}
