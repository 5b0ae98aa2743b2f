package store

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// instance tells this replica from another one that announces the same address, as
// two machines do that are behind NAT or have the same address by default: Present
// then asks one of them only. The sorted set signpost:{acme.example.com}:instances has a member
// "<address> <id>" for each process, with its heartbeat's expiry in Unix milliseconds
// as score. That of a primary, from which secondaries transfer the zone, is
// "<address> <id> <mark>": see Transfers.
type instance struct {
	id   string // random
	key  string
	mark string // of the secondaries; "" for none

	mu     sync.Mutex
	others map[string]other // that announce our address, by member
}

type other struct {
	expiry float64 // when it was first seen
	logged bool
}

// member is what announces an address.
func (i *instance) member(address string) string {
	return strings.TrimSpace(address + " " + i.id + " " + i.mark)
}

// Transfers has heartbeats say that this replica is a primary, with a mark of its
// secondaries, without spaces. It must be called before anything else.
func (r *Redis) Transfers(mark string) { r.instance.mark = mark }

// Primaries returns the addresses of the live replicas that are primaries, each with
// the mark of its secondaries. They have the same settings if their marks are equal.
func (r *Redis) Primaries(ctx context.Context) (marks map[string]string, err error) {
	err = r.call(ctx, &r.reading, func(ctx context.Context) error {
		now, err := r.now(ctx)
		if err != nil {
			return err
		}
		list, err := r.client.ZRangeByScore(ctx, r.instance.key, live(now)).Result()
		if err != nil {
			return err
		}
		marks = map[string]string{}
		for _, member := range list {
			if part := strings.Fields(member); len(part) == 3 {
				marks[part[0]] = part[2]
			}
		}
		return nil
	})
	return marks, err
}

// announceInstance announces which process announces address, and warns when another
// one that is alive does so too. It is best effort, and not in the transaction of the
// heartbeat, since a Cluster that moves a slot refuses those with two keys.
func (r *Redis) announceInstance(ctx context.Context, address string, now time.Time) {
	i := &r.instance
	var list *redis.ZSliceCmd
	_, err := r.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.ZRemRangeByScore(ctx, i.key, "-inf", score(now))
		pipe.ZAdd(ctx, i.key, redis.Z{Score: milliseconds(now.Add(HeartbeatLifetime)), Member: i.member(address)})
		pipe.PExpireAt(ctx, i.key, now.Add(HeartbeatLifetime))
		list = pipe.ZRangeWithScores(ctx, i.key, 0, -1)
		return nil
	})
	if err != nil {
		return // the heartbeat has arrived; what is wrong with this one shows there too
	}
	if i.doubled(address, list.Val()) {
		r.log.Warn("another DNS server announces the same address; give each its own with --advertise-address, since Present asks only one of them", "address", address)
	}
}

// doubled reports whether another process that announces address has been found
// alive for the first time: it has announced itself again since it was first seen.
func (i *instance) doubled(address string, members []redis.Z) (found bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	others := map[string]other{}
	for _, z := range members {
		member, _ := z.Member.(string)
		id, same := strings.CutPrefix(member, address+" ")
		if id, _, _ = strings.Cut(id, " "); !same || id == i.id {
			continue
		}
		o, known := i.others[member]
		if !known {
			o.expiry = z.Score
		}
		if z.Score > o.expiry && !o.logged {
			o.logged, found = true, true
		}
		others[member] = o
	}
	i.others = others
	return found
}
