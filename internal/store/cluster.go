package store

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/signpost-acme/signpost/internal/zone"
)

// All keys of a zone are in one slot, which a Cluster may move from one server to
// another while it is used. Commands with one key are redirected by go-redis: by MOVED for
// good, and by ASK where the slot is being moved and the key is there already, or nowhere.
// SCAN has no key, and a transaction has several: until the move has ended it gets
// TRYAGAIN, unless all its keys are at one server and none is new.

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

// errMoving is what a call fails with that could not be made because of a move.
var errMoving = errors.New("the Cluster moves the zone's slot")

// moving reports whether err is that a Cluster moves the slot: a matter of patience.
func moving(err error) bool {
	return slices.ContainsFunc(movingSlot.prefixes, func(p string) bool { return redis.HasErrorPrefix(err, p) }) || errors.Is(err, errMoving)
}

// places returns the servers that have the zone's keys: one, but two while its slot is
// moved, first the one from which keys go.
func (r *Redis) places(ctx context.Context) (places []*redis.Client, err error) {
	cluster, ok := r.client.(*redis.ClusterClient)
	if !ok {
		return []*redis.Client{r.client.(*redis.Client)}, nil
	}
	node, err := cluster.MasterForKey(ctx, r.channel)
	if err != nil {
		return nil, err
	}
	for range redirects {
		err := node.Exists(ctx, r.absent).Err()
		to, asked := redis.IsAskError(err)
		if !asked {
			var moved bool
			if to, moved = redis.IsMovedError(err); !moved {
				return []*redis.Client{node}, err
			}
		}
		if err := cluster.Exists(ctx, r.absent).Err(); err != nil { // go-redis then knows the server
			return nil, err
		}
		next, ok := r.servers.Load(serverAddress(to))
		switch {
		case !ok:
			return nil, errMoving
		case asked:
			return []*redis.Client{node, next.(*redis.Client)}, nil
		}
		node = next.(*redis.Client)
	}
	return nil, errMoving
}

// redirects is how often a redirect is followed, or a whole scan is made, in one try.
const redirects = 3

// serverAddress returns the form in which servers has an address.
func serverAddress(a string) string {
	i := strings.LastIndexByte(a, ':')
	if i < 0 {
		return a
	}
	return net.JoinHostPort(strings.Trim(a[:i], "[]"), a[i+1:])
}

// knowServers has r.servers know each server of a Cluster that go-redis finds.
func (r *Redis) knowServers() {
	if cluster, ok := r.client.(*redis.ClusterClient); ok {
		cluster.OnNewNode(func(server *redis.Client) { r.servers.Store(serverAddress(server.Options().Addr), server) })
	}
}

// eachName calls f with all names that have values, some at a time, and some of them more
// than once. Names that come or go meanwhile may be among them. While a Cluster moves
// the slot it reads first the server from which keys go, then the other: a key is seen
// at the second if it was not any more at the first. It begins again if a move has begun or
// ended meanwhile.
func (r *Redis) eachName(ctx context.Context, f func(ids []uuid.UUID) error) error {
	var before, after []*redis.Client
	look := func(places *[]*redis.Client) error {
		return r.call(ctx, &r.reading, func(ctx context.Context) (err error) { *places, err = r.places(ctx); return err })
	}
	if err := look(&before); err != nil {
		return err
	}
	for range redirects {
		for _, server := range before {
			if err := r.eachNameAt(ctx, server, f); err != nil {
				return err
			}
		}
		if err := look(&after); err != nil || slices.Equal(before, after) {
			return err
		}
		before = after
	}
	return r.call(ctx, &r.reading, func(context.Context) error { return errMoving })
}

// eachNameAt is eachName at one server.
func (r *Redis) eachNameAt(ctx context.Context, server *redis.Client, f func(ids []uuid.UUID) error) error {
	for cursor := uint64(0); ; {
		var ids []uuid.UUID
		err := r.call(ctx, &r.reading, func(ctx context.Context) (err error) {
			var keys []string
			keys, cursor, err = server.Scan(ctx, cursor, r.prefix+"*", batch).Result()
			for _, key := range keys {
				if id, ok := zone.ParseID(strings.TrimPrefix(key, r.prefix)); ok {
					ids = append(ids, id)
				}
			}
			return err
		})
		if err != nil {
			return err
		}
		if len(ids) > 0 {
			if err := f(ids); err != nil {
				return err
			}
		}
		if cursor == 0 {
			return nil
		}
	}
}
