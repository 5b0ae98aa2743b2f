package store

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// movingPause is between two tries of a transaction while a Cluster moves the slot.
const movingPause = 20 * time.Millisecond

// transaction is given the time and the version, and returns what to write; nil for nothing.
type transaction func(context.Context, *redis.Tx, time.Time, counter) (write func(redis.Pipeliner), err error)

// transact runs a transaction that raises the version and watches key, again as long as
// others are faster. While a Cluster moves the slot the transaction may have to wait: it
// is tried again for as long as a call takes, and then fails with errMoving.
func (r *Redis) transact(ctx context.Context, key string, what transaction) error {
	return r.call(ctx, &r.writing, func(ctx context.Context) error {
		select { // one at a time: they would have each other fail
		case r.changing <- struct{}{}:
			defer func() { <-r.changing }()
		case <-ctx.Done():
			if r.slotMoves.Load() { // which the others wait for
				return errMoving
			}
			return ctx.Err()
		}
		for refused := false; ; {
			err := r.try(ctx, key, what)
			switch {
			case errors.Is(err, redis.TxFailedErr):
				continue
			case moving(err):
				refused = true
				r.slotMoves.Store(true)
				select {
				case <-time.After(movingPause):
					continue
				case <-ctx.Done():
					return errMoving
				}
			case refused && err != nil && ctx.Err() != nil:
				return errMoving // the time was up in the middle of another try
			}
			r.slotMoves.Store(false)
			return err
		}
	})
}

// try runs a transaction once.
func (r *Redis) try(ctx context.Context, key string, what transaction) error {
	return r.watch(ctx, func(tx *redis.Tx) error {
		now, err := tx.Time(ctx).Result()
		if err != nil {
			return err
		}
		text, err := tx.Get(ctx, r.version).Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			return err
		}
		write, err := what(ctx, tx, now, parseCounter(text))
		if err != nil || write == nil {
			return err
		}
		cmds, err := tx.TxPipelined(ctx, func(pipe redis.Pipeliner) error { write(pipe); return nil })
		return cause(cmds, err)
	}, r.version, key)
}

// watch is that of go-redis, which returns no error and has not called f where it
// followed redirects in vain, because the slot is being moved (9.23).
func (r *Redis) watch(ctx context.Context, f func(*redis.Tx) error, keys ...string) error {
	called := false
	err := r.client.Watch(ctx, func(tx *redis.Tx) error { called = true; return f(tx) }, keys...)
	if err == nil && !called {
		return errMoving
	}
	return err
}

// raise makes the version at least that, also where there is none yet.
func (r *Redis) raise(ctx context.Context, atLeast int64) error {
	return r.transact(ctx, r.version, func(ctx context.Context, _ *redis.Tx, now time.Time, c counter) (func(redis.Pipeliner), error) {
		if c.version >= max(atLeast, 1) {
			return nil, nil
		}
		return func(pipe redis.Pipeliner) {
			r.write(ctx, pipe, c.next(now, atLeast))
			pipe.Publish(ctx, r.channel, "") // wakes the others
		}, nil
	})
}
