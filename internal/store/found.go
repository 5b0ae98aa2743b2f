package store

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

const (
	// FoundLifetime is how long what was found stays that nobody finds again.
	FoundLifetime = 3 * time.Hour

	// MaxFound is how many octets of it are taken for one target.
	MaxFound = 64 << 10

	// foundOverlap is how much earlier than the last read the next one begins: a write
	// has its time before it is done.
	foundOverlap = 10 * time.Second

	foundAtOnce = 500 // read in one round trip
)

// Found are what replicas of one cluster have found out about targets.
type Found struct {
	New   map[uuid.UUID][]byte
	Until time.Time // where the next read begins
}

// PutFound implements Store. What was found is the key
// signpost:{acme.example.com}:found:<cluster>:<uuid>, which expires, and a member of
// the sorted set signpost:{acme.example.com}:found:<cluster>, the score being when.
func (r *Redis) PutFound(ctx context.Context, cluster, id uuid.UUID, found []byte) error {
	return r.call(ctx, &r.writing, func(ctx context.Context) error {
		now, err := r.client.Time(ctx).Result()
		if err != nil {
			return err
		}
		list := r.foundKey(cluster)
		_, err = r.client.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
			pipe.Set(ctx, list+":"+id.String(), found, FoundLifetime)
			pipe.ZAdd(ctx, list, redis.Z{Member: id.String(), Score: float64(now.UnixMilli())})
			pipe.ZRemRangeByScore(ctx, list, "-inf", strconv.FormatInt(now.Add(-FoundLifetime).UnixMilli(), 10))
			pipe.PExpire(ctx, list, FoundLifetime)
			return nil
		})
		return err
	})
}

// Found implements Store.
func (r *Redis) Found(ctx context.Context, cluster uuid.UUID, since time.Time) (found Found, err error) {
	var ids []string
	list := r.foundKey(cluster)
	err = r.call(ctx, &r.reading, func(ctx context.Context) error {
		now, err := r.client.Time(ctx).Result()
		if err != nil {
			return err
		}
		found = Found{New: map[uuid.UUID][]byte{}, Until: now.Add(-foundOverlap)}
		from := "-inf"
		if !since.IsZero() {
			from = strconv.FormatInt(since.UnixMilli(), 10)
		}
		ids, err = r.client.ZRangeByScore(ctx, list, &redis.ZRangeBy{Min: from, Max: "+inf"}).Result()
		return err
	})
	for len(ids) > 0 && err == nil {
		some := ids[:min(len(ids), foundAtOnce)]
		ids = ids[len(some):]
		err = r.call(ctx, &r.reading, func(ctx context.Context) error {
			cmds := make([]*redis.StringCmd, len(some))
			_, err := r.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
				for i, id := range some {
					cmds[i] = pipe.Get(ctx, list+":"+id)
				}
				return nil
			})
			if err != nil && !errors.Is(err, redis.Nil) {
				return err
			}
			for i, cmd := range cmds {
				id, bad := uuid.Parse(some[i])
				if data, err := cmd.Bytes(); err == nil && bad == nil && len(data) <= MaxFound {
					found.New[id] = data
				}
			}
			return nil
		})
	}
	return found, err
}

func (r *Redis) foundKey(cluster uuid.UUID) string { return r.prefix + "found:" + cluster.String() }

// PutFound implements Store: in one process nobody else would ask.
func (m *Memory) PutFound(context.Context, uuid.UUID, uuid.UUID, []byte) error { return nil }

// Found implements Store.
func (m *Memory) Found(context.Context, uuid.UUID, time.Time) (Found, error) { return Found{}, nil }
