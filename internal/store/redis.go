package store

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

// Redis is a Store in Redis or Valkey: a single server, Sentinel or Cluster.
//
// For the zone acme.example.com a name's values are the members of the sorted
// set signpost:{acme.example.com}:<uuid>, each with its expiry in Unix
// milliseconds as score; every change publishes <uuid> on the channel
// signpost:{acme.example.com} in the same transaction; the live replicas are in
// signpost:{acme.example.com}:replicas; for signpost:{acme.example.com}:era see
// the type era. Times are the Redis server's, so that a
// replica whose clock is wrong does no harm.
type Redis struct {
	client   redis.UniversalClient
	prefix   string // of the names' keys
	channel  string
	replicas string // key
	eraKey   string
	log      *slog.Logger
	limits   limits
	followed atomic.Pointer[Copy] // that Follow keeps equal

	era   era
	lease lease

	reading, writing, hearing health
}

// NewRedis returns the store for the zone with the given origin. It connects to
// nothing yet: a Redis that is not there shows in the calls' errors. An error
// here means that the options are wrong.
func NewRedis(origin string, options RedisOptions, log *slog.Logger) (*Redis, error) {
	client, err := options.client()
	if err != nil {
		return nil, err
	}
	channel := "signpost:{" + origin + "}"
	return &Redis{
		client:   client,
		prefix:   channel + ":",
		channel:  channel,
		replicas: channel + ":replicas",
		eraKey:   channel + ":era",
		log:      log,
		limits:   limits{total: MaxTotal},
		reading: health{
			fails: "Redis cannot be read; the records known so far are served on, and it is tried again",
			works: "Redis can be read again",
		},
		writing: health{
			fails: "Redis cannot be written to; challenges cannot be presented until it can",
			works: "Redis can be written to again",
		},
		hearing: health{
			fails: "Redis does not tell what changes; until it does, everything is read again and again",
			works: "Redis tells what changes again",
		},
	}, nil
}

// Add implements Store.
func (r *Redis) Add(ctx context.Context, id uuid.UUID, value string) error {
	if err := r.room(ctx, id, value); err != nil {
		return err
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
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
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
	err := r.change(ctx, id, func(pipe redis.Pipeliner, key string, _ time.Time) { pipe.ZRem(ctx, key, value) })
	if redis.HasErrorPrefix(err, "OOM") {
		err = r.removeFromFull(ctx, id, value)
	}
	if err == nil {
		// Not in the transaction, which must have one key: a Cluster that is moving
		// the two is asked for both in vain. If it fails the counts expire.
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		_ = r.client.Del(ctx, r.askedKey(id)).Err()
	}
	return err
}

// removeFromFull removes a value from a Redis that is full: that refuses all
// transactions, and takes commands that need no memory.
func (r *Redis) removeFromFull(ctx context.Context, id uuid.UUID, value string) error {
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := r.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.ZRem(ctx, r.key(id), value)
		pipe.Publish(ctx, r.channel, id.String())
		return nil
	})
	if err != nil { // not noted otherwise: that others can be removed does not make Redis writable
		return r.writing.note(caller, r.log, err)
	}
	return nil
}

// change makes a change to the values under id and tells everybody, in one transaction.
func (r *Redis) change(ctx context.Context, id uuid.UUID, what func(pipe redis.Pipeliner, key string, now time.Time)) error {
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	now, err := r.now(ctx)
	if err != nil {
		return r.writing.note(caller, r.log, err)
	}
	key := r.key(id)
	cmds, err := r.client.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.ZRemRangeByScore(ctx, key, "-inf", score(now))
		what(pipe, key, now)
		pipe.Publish(ctx, r.channel, id.String())
		return nil
	})
	return r.writing.note(caller, r.log, cause(cmds, err))
}

// Values implements Store.
func (r *Redis) Values(ctx context.Context, id uuid.UUID) ([]string, error) {
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	now, err := r.now(ctx)
	if err != nil {
		return nil, r.reading.note(caller, r.log, err)
	}
	values, err := r.client.ZRangeArgs(ctx, live(r.key(id), now)).Result()
	return values, r.reading.note(caller, r.log, err)
}

// announcedAgain is how long after Redis has lost its records the list of replicas
// may be incomplete: for as long as a replica relies on a heartbeat that is lost.
const announcedAgain = HeartbeatLifetime

// Announce implements Store.
func (r *Redis) Announce(ctx context.Context, address string) error {
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	sent := time.Now()
	now, err := r.now(ctx)
	if err != nil {
		return r.writing.note(caller, r.log, err)
	}
	cmds, err := r.client.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.ZRemRangeByScore(ctx, r.replicas, "-inf", score(now))
		// From before Redis' clock was set back: whoever lives says so again.
		pipe.ZRemRangeByScore(ctx, r.replicas, score(now.Add(2*HeartbeatLifetime)), "+inf")
		pipe.ZAdd(ctx, r.replicas, redis.Z{Score: milliseconds(now.Add(HeartbeatLifetime)), Member: address})
		pipe.PExpireAt(ctx, r.replicas, now.Add(HeartbeatLifetime))
		return nil
	})
	if err == nil {
		r.lease.renew(sent)
		err = r.beginEra(ctx)
	}
	return r.writing.note(caller, r.log, cause(cmds, err))
}

// Withdraw implements Store.
func (r *Redis) Withdraw(ctx context.Context, address string) error {
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return r.writing.note(caller, r.log, r.client.ZRem(ctx, r.replicas, address).Err())
}

// Replicas implements Store.
func (r *Redis) Replicas(ctx context.Context) ([]string, error) {
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	now, err := r.now(ctx)
	if err != nil {
		return nil, r.reading.note(caller, r.log, err)
	}
	if err := r.readEra(ctx); err != nil {
		return nil, err
	}
	if r.era.within(announcedAgain) {
		return nil, nil
	}
	args := live(r.replicas, now)
	addresses, err := r.client.ZRangeArgs(ctx, args).Result()
	return sorted(addresses), r.reading.note(caller, r.log, err)
}

// Close implements Store.
func (r *Redis) Close() error { return r.client.Close() }

func (r *Redis) key(id uuid.UUID) string { return r.prefix + id.String() }

// node returns the server that holds the zone's keys, for the commands that go-redis
// would send to any server of a Cluster.
func (r *Redis) node(ctx context.Context) (redis.Cmdable, error) {
	cluster, ok := r.client.(*redis.ClusterClient)
	if !ok {
		return r.client, nil
	}
	node, err := cluster.MasterForKey(ctx, r.channel)
	if err != nil {
		return nil, err
	}
	return node, nil
}

// now returns the time of the server that holds the zone's keys.
func (r *Redis) now(ctx context.Context) (time.Time, error) {
	node, err := r.node(ctx)
	if err != nil {
		return time.Time{}, err
	}
	return node.Time(ctx).Result()
}

// live selects the members of key that have not expired.
func live(key string, now time.Time) redis.ZRangeArgs {
	return redis.ZRangeArgs{Key: key, ByScore: true, Start: "(" + score(now), Stop: "+inf"}
}

func milliseconds(t time.Time) float64 { return float64(t.UnixMilli()) }

func score(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }
