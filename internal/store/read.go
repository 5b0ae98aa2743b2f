package store

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

// read returns the unexpired values of some names, in one round trip; in a
// Cluster in two, where the time could come from any server.
func (r *Redis) read(ctx context.Context, ids []uuid.UUID) ([][]string, error) {
	var now *redis.TimeCmd
	if _, ok := r.client.(*redis.ClusterClient); ok {
		t, err := r.now(ctx)
		if err != nil {
			return nil, r.reading.note(ctx, r.log, err)
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
		err = nil // found again below, with its key
	}
	if err := r.reading.note(ctx, r.log, err); err != nil {
		return nil, err
	}
	values := make([][]string, len(ids))
	for i, cmd := range cmds {
		switch err := cmd.Err(); {
		case err == nil:
			values[i] = unexpired(cmd.Val(), now.Val())
		case redis.HasErrorPrefix(err, "WRONGTYPE"):
			r.log.Warn("a key in Redis is not ours, although it has a name of ours; remove it", "key", r.key(ids[i]))
		default:
			return nil, r.reading.note(ctx, r.log, err)
		}
	}
	return values, nil
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
