package store

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

// askedLifetime is how long the counts of a name stay that nobody asks for any more.
const askedLifetime = time.Hour

// AddAsked implements Store. The counts of a name are the hash
// signpost:{acme.example.com}:asked:<uuid>, network to number. They are only
// written while the name has values, so that none are left behind by a removal.
func (r *Redis) AddAsked(ctx context.Context, id uuid.UUID, counts map[string]uint64) error {
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := r.client.Watch(ctx, func(tx *redis.Tx) error {
		n, err := tx.Exists(ctx, r.key(id)).Result()
		if err != nil || n == 0 {
			return err
		}
		_, err = tx.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
			for network, n := range counts {
				pipe.HIncrBy(ctx, r.askedKey(id), network, int64(n))
			}
			pipe.PExpire(ctx, r.askedKey(id), askedLifetime)
			return nil
		})
		return err
	}, r.key(id))
	if errors.Is(err, redis.TxFailedErr) {
		return nil // the values changed meanwhile; a count is not worth another try
	}
	return r.writing.note(caller, r.log, err)
}

// Asked implements Store.
func (r *Redis) Asked(ctx context.Context, id uuid.UUID) (map[string]uint64, error) {
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	fields, err := r.client.HGetAll(ctx, r.askedKey(id)).Result()
	if err := r.reading.note(caller, r.log, err); err != nil {
		return nil, err
	}
	counts := make(map[string]uint64, len(fields))
	for network, text := range fields {
		if n, err := strconv.ParseUint(text, 10, 64); err == nil {
			counts[network] = n
		}
	}
	return counts, nil
}

func (r *Redis) askedKey(id uuid.UUID) string { return r.prefix + "asked:" + id.String() }
