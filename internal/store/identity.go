package store

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

// identify tells freshness what identifies the store. Heartbeats create the store ID
// where it is missing. When it is gone or another one, Redis was started without its
// data, or told to forget it; when the server is another one it may be the same
// store with an older snapshot, or a replica that has not had the last writes.
// The values were not removed, and come back from the Challenges within seconds.
func (r *Redis) identify(ctx context.Context) error {
	connections := r.connections.Load()
	id, err := r.server(ctx)
	if err != nil {
		return err
	}
	id.storeID, err = r.client.Get(ctx, r.storeID).Result()
	if errors.Is(err, redis.Nil) {
		_ = r.createStoreID(ctx) // this user may only be allowed to read; then another replica creates it
		id.storeID, err = r.client.Get(ctx, r.storeID).Result()
	}
	if err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	if r.fresh.saw(id, time.Now()) {
		r.log.Warn("Redis may have lost values; those known here stay for 10 s, and are put back from the Challenges", "server", id.process)
	}
	r.identified.Store(connections)
	return nil
}

// infoInterval is how long a reply to INFO is used on the same connections: only the
// replication ID can change there.
const infoInterval = time.Second

// seenServer is what a server reported in INFO.
type seenServer struct {
	identity
	uptime time.Duration // of the process, at that moment; negative if it is not known
	at     time.Time
}

// server asks the server that holds the zone's keys for its own part of the
// identity. Without the right to INFO it stays empty.
func (r *Redis) server(ctx context.Context) (id identity, err error) {
	connections := r.connections.Load()
	if s := r.seen.Load(); s != nil && connections == r.identified.Load() && time.Since(s.at) < infoInterval {
		return s.identity, nil
	}
	node, err := r.node(ctx)
	if err != nil {
		return identity{}, err
	}
	var server, replication *redis.StringCmd
	_, err = node.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		server, replication = pipe.Info(ctx, "server"), pipe.Info(ctx, "replication") // Redis 6 takes one at a time
		return nil
	})
	var refused redis.Error
	if err != nil && !errors.As(err, &refused) {
		return identity{}, err
	}
	id.process, id.replication = field(server.Val(), "run_id"), field(replication.Val(), "master_replid")
	if id.process == "" && r.anonymous.CompareAndSwap(false, true) {
		r.log.Warn("Redis does not tell its identity; allow its user the command INFO, or a restart with older data goes unnoticed", "err", err)
	}
	r.checkReplication(replication.Val())
	uptime, err := strconv.Atoi(field(server.Val(), "uptime_in_seconds"))
	if err != nil {
		uptime = -1
	}
	r.seen.Store(&seenServer{id, time.Duration(uptime) * time.Second, time.Now()})
	return id, nil
}

// checkReplication warns when a fail-over could leave a second master that goes on
// taking writes. A Cluster ends that itself. INFO has the number of good replicas
// only where min-replicas-to-write is set, so the right to CONFIG GET is not needed.
func (r *Redis) checkReplication(info string) {
	if _, ok := r.client.(*redis.ClusterClient); ok {
		return
	}
	replicas := field(info, "connected_slaves")
	if replicas != "" && replicas != "0" && field(info, "min_slaves_good_slaves") == "" && r.warnedSplit.CompareAndSwap(false, true) {
		r.log.Warn("Redis could have two masters at once; set its min-replicas-to-write to 1, so that an old master refuses writes after a fail-over", "replicas", replicas)
	}
}

// field returns a field of a reply to INFO.
func field(info, name string) string {
	for line := range strings.Lines(info) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// readIdentified is read for a copy: when there is a new connection since the store
// was last identified, it may lead to another server, or to one that has restarted,
// and the store is identified before anybody believes what was read.
func (r *Redis) readIdentified(ctx context.Context, ids []uuid.UUID) ([][]string, error) {
	values, err := r.read(ctx, ids)
	if err != nil || r.connections.Load() == r.identified.Load() {
		return values, err
	}
	if err := r.call(ctx, &r.reading, r.identify); err != nil {
		return nil, err
	}
	return values, nil
}

// createStoreID creates the store ID if it is missing, and sets its TTL.
func (r *Redis) createStoreID(ctx context.Context) error {
	_, err := r.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.SetNX(ctx, r.storeID, uuid.NewString(), 0)
		pipe.PExpire(ctx, r.storeID, Lifetime) // no value lives longer
		return nil
	})
	return err
}
