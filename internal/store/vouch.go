package store

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

// Vouch implements Store. What was vouched for is the key
// signpost:{acme.example.com}:seen:<uuid>, which expires.
func (r *Redis) Vouch(ctx context.Context, id uuid.UUID, lifetime time.Duration) error {
	return r.call(ctx, &r.writing, func(ctx context.Context) error {
		return r.client.Set(ctx, r.seenKey(id), "", lifetime).Err()
	})
}

// Vouched implements Store.
func (r *Redis) Vouched(ctx context.Context, ids []uuid.UUID) ([]bool, error) {
	cmds := make([]*redis.IntCmd, len(ids))
	err := r.call(ctx, &r.reading, func(ctx context.Context) error {
		_, err := r.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			for i, id := range ids {
				cmds[i] = pipe.Exists(ctx, r.seenKey(id))
			}
			return nil
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	yes := make([]bool, len(ids))
	for i, cmd := range cmds {
		yes[i] = cmd.Val() > 0
	}
	return yes, nil
}

func (r *Redis) seenKey(id uuid.UUID) string { return r.prefix + "seen:" + id.String() }

// Vouch implements Store: in one process nobody else would ask.
func (m *Memory) Vouch(context.Context, uuid.UUID, time.Duration) error { return nil }

// Vouched implements Store.
func (m *Memory) Vouched(_ context.Context, ids []uuid.UUID) ([]bool, error) {
	return make([]bool, len(ids)), nil
}
