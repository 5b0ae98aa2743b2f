package store

import (
	"context"
	"time"

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
		r.announceInstance(ctx, address, now)
		return r.createStoreID(ctx)
	})
}

// Withdraw implements Store.
func (r *Redis) Withdraw(ctx context.Context, address string) error {
	return r.call(ctx, &r.writing, func(ctx context.Context) error {
		_, err := r.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			pipe.ZRem(ctx, r.replicas, address)
			pipe.ZRem(ctx, r.instance.key, r.instance.member(address))
			return nil
		})
		return err
	})
}

// Replicas implements Store.
func (r *Redis) Replicas(ctx context.Context) (addresses []string, err error) {
	err = r.call(ctx, &r.reading, func(ctx context.Context) error {
		now, err := r.now(ctx)
		if err != nil {
			return err
		}
		if addresses, err = r.client.ZRangeByScore(ctx, r.replicas, live(now)).Result(); err != nil {
			return err
		}
		return r.identify(ctx) // after: where it is the same now, the list was its
	})
	if err != nil || !r.fresh.ReplicasKnown(time.Now()) {
		return nil, err
	}
	return sorted(addresses), nil
}
