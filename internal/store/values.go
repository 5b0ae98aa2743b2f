package store

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

// Add implements Store.
func (r *Redis) Add(ctx context.Context, id uuid.UUID, value string) error {
	if err := r.room(ctx, id, value); err != nil {
		return err
	}
	if r.journal != nil {
		return r.changeVersioned(ctx, id, func(set map[string]time.Time, now time.Time) bool {
			set[value] = now.Add(Lifetime)
			return true
		}, false)
	}
	return r.change(ctx, id, func(pipe redis.Pipeliner, key string, now time.Time) {
		expiry := now.Add(Lifetime)
		pipe.ZAdd(ctx, key, redis.Z{Score: milliseconds(expiry), Member: value})
		pipe.PExpireAt(ctx, key, expiry)
	})
}

// room returns an error if value is one too many. How many there are in all is
// known where a copy follows, which is wherever values are added.
func (r *Redis) room(ctx context.Context, id uuid.UUID, value string) error {
	values, err := r.read(ctx, []uuid.UUID{id})
	if err != nil {
		return err
	}
	if slices.Contains(values[0], value) {
		return nil
	}
	total := 0
	if c := r.followed.Load(); c != nil {
		total = c.Total()
	}
	return r.limits.check(value, len(values[0]), total)
}

// Remove implements Store.
func (r *Redis) Remove(ctx context.Context, id uuid.UUID, value string) error {
	err := r.remove(ctx, id, value)
	if redis.HasErrorPrefix(err, "OOM") {
		err = r.removeFromFull(ctx, id, value)
	}
	if err == nil {
		// Not in the transaction, which must have one key: while a Cluster moves a slot,
		// it refuses commands that have two. If it fails the counts expire.
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		_ = r.client.Del(ctx, r.askedKey(id)).Err()
		r.publishAgain(ctx, id)
	}
	return err
}

// remove is Remove for a Redis that has room. Also a value that is not there is
// published: a copy may have it still.
func (r *Redis) remove(ctx context.Context, id uuid.UUID, value string) error {
	if r.journal != nil {
		return r.changeVersioned(ctx, id, func(set map[string]time.Time, _ time.Time) bool {
			delete(set, value)
			return true
		}, false)
	}
	return r.change(ctx, id, func(pipe redis.Pipeliner, key string, _ time.Time) { pipe.ZRem(ctx, key, value) })
}

// publishAgain makes sure that all replicas hear of a removal just after Redis may
// have lost writes. One that is not yet subscribed again cannot tell what was removed
// from what was lost, and would keep it for restoreTime.
func (r *Redis) publishAgain(ctx context.Context, id uuid.UUID) {
	if r.connections.Load() != r.identified.Load() {
		_ = r.call(ctx, &r.reading, r.identify)
	}
	if !r.fresh.Keep(time.Now()) {
		return
	}
	for pause := maxPause; pause <= restoreTime/2; pause *= 2 {
		time.AfterFunc(pause, func() {
			ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
			defer cancel()
			_ = r.client.Publish(ctx, r.channel, id.String()).Err() // best effort
		})
	}
}

// removeFromFull removes a value from a Redis that is full: it refuses all
// transactions, and takes commands that need no memory. Success is not noted: it
// does not mean that Redis is writable.
func (r *Redis) removeFromFull(ctx context.Context, id uuid.UUID, value string) error {
	limited, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := r.client.Pipelined(limited, func(pipe redis.Pipeliner) error {
		pipe.ZRem(limited, r.key(id), value)
		pipe.Publish(limited, r.channel, id.String())
		return nil
	})
	if err == nil {
		return nil
	}
	return r.writing.note(ctx, r.log, err)
}

// change makes a change to the values under id and publishes it, in one transaction.
func (r *Redis) change(ctx context.Context, id uuid.UUID, what func(pipe redis.Pipeliner, key string, now time.Time)) error {
	return r.call(ctx, &r.writing, func(ctx context.Context) error {
		now, err := r.now(ctx)
		if err != nil {
			return err
		}
		key := r.key(id)
		cmds, err := r.client.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
			pipe.ZRemRangeByScore(ctx, key, "-inf", score(now))
			what(pipe, key, now)
			pipe.Publish(ctx, r.channel, id.String())
			return nil
		})
		return cause(cmds, err)
	})
}

// Values implements Store.
func (r *Redis) Values(ctx context.Context, id uuid.UUID) (values []string, err error) {
	err = r.call(ctx, &r.reading, func(ctx context.Context) error {
		now, err := r.now(ctx)
		if err != nil {
			return err
		}
		values, err = r.client.ZRangeByScore(ctx, r.key(id), live(now)).Result()
		return err
	})
	return values, err
}

// read returns the unexpired values of some names, in one round trip; in a
// Cluster in two, because there any server could answer TIME.
func (r *Redis) read(ctx context.Context, ids []uuid.UUID) (values [][]string, err error) {
	err = r.call(ctx, &r.reading, func(ctx context.Context) error {
		now, cmds, err := r.fetch(ctx, ids)
		if err != nil {
			return err
		}
		values = make([][]string, len(ids))
		for i, cmd := range cmds {
			switch err := cmd.Err(); {
			case err == nil:
				values[i] = unexpired(cmd.Val(), now)
			case redis.HasErrorPrefix(err, "WRONGTYPE"):
				r.log.Warn("a key in Redis is not ours, although it has a name of ours; remove it", "key", r.key(ids[i]))
			default:
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return values, nil
}

// fetch gets the members of some names. WRONGTYPE is left in the names' commands.
func (r *Redis) fetch(ctx context.Context, ids []uuid.UUID) (time.Time, []*redis.ZSliceCmd, error) {
	var now *redis.TimeCmd
	if _, ok := r.client.(*redis.ClusterClient); ok {
		t, err := r.now(ctx)
		if err != nil {
			return time.Time{}, nil, err
		}
		now = redis.NewTimeCmdResult(t, nil)
	}
	cmds := make([]*redis.ZSliceCmd, len(ids))
	_, err := r.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		if now == nil {
			now = pipe.Time(ctx)
		}
		for i, id := range ids {
			cmds[i] = pipe.ZRangeWithScores(ctx, r.key(id), 0, -1)
		}
		return nil
	})
	if redis.HasErrorPrefix(err, "WRONGTYPE") {
		err = nil
	}
	return now.Val(), cmds, err
}

// live selects the members that have not expired. ZRANGE could do it, but with an
// option that Redis before 6.2 does not have.
func live(now time.Time) *redis.ZRangeBy {
	return &redis.ZRangeBy{Min: "(" + score(now), Max: "+inf"}
}

func unexpired(members []redis.Z, now time.Time) []string {
	var values []string
	for _, z := range members {
		if z.Score > milliseconds(now) {
			values = append(values, z.Member.(string))
		}
	}
	return sorted(values)
}

// sorted sorts s in place: equal contents make equal answers on every replica.
func sorted(s []string) []string {
	slices.Sort(s)
	return s
}
