package store

import (
	"context"
	"encoding/binary"
	"errors"
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

// OtherNetworks stands, in what Asked returns, for networks beyond the first few.
const OtherNetworks = "other"

const (
	askedNetworks = 8  // counted apart, for each name
	askedNames    = 32 // remembered between two calls of TakeAsked: a flood for all names must not reach the store
)

// tally counts, for one name, how often it was asked for and from where. It
// lives as long as the name has values.
type tally struct {
	waiting atomic.Bool                                                  // for TakeAsked
	slots   [askedNetworks]struct{ network, count, taken atomic.Uint64 } // taken: by TakeAsked
	other   atomic.Uint64
}

// Note counts a query for the values under id from client. It costs a lookup and
// an addition, and what it keeps is bounded.
func (c *Copy) Note(id uuid.UUID, client netip.Addr) {
	r := c.record(id)
	if r == nil {
		return
	}
	t := r.asked.Load()
	if t == nil {
		t = &tally{}
		if !r.asked.CompareAndSwap(nil, t) {
			t = r.asked.Load()
		}
	}
	t.add(network(client))
	if !t.waiting.Load() && !c.askedFull.Load() && t.waiting.CompareAndSwap(false, true) && !c.remember(id) {
		t.waiting.Store(false)
	}
}

// remember notes that id was asked for. It returns false if there are too many.
func (c *Copy) remember(id uuid.UUID) bool {
	c.askedMu.Lock()
	defer c.askedMu.Unlock()
	if len(c.asked) >= askedNames {
		c.askedFull.Store(true)
		return false
	}
	c.asked = append(c.asked, id)
	return true
}

func (t *tally) add(network uint64) {
	for i := range t.slots {
		s := &t.slots[i]
		n := s.network.Load()
		if n == 0 && s.network.CompareAndSwap(0, network) {
			n = network
		} else if n == 0 {
			n = s.network.Load()
		}
		if n == network {
			s.count.Add(1)
			return
		}
	}
	t.other.Add(1)
}

// sum returns all that was counted in the networks that are counted apart; nil if t is.
func (t *tally) sum() map[string]uint64 {
	if t == nil {
		return nil
	}
	counts := map[string]uint64{}
	for i := range t.slots {
		s := &t.slots[i]
		if network := s.network.Load(); network != 0 {
			counts[networkName(network)] = s.count.Load() + s.taken.Load()
		}
	}
	return counts
}

// TakeAsked returns the queries that Note has counted since the last call, by
// name and network, and counts from zero again.
func (c *Copy) TakeAsked() map[uuid.UUID]map[string]uint64 {
	c.askedMu.Lock()
	ids := c.asked
	c.asked = nil
	c.askedFull.Store(false)
	c.askedMu.Unlock()
	out := map[uuid.UUID]map[string]uint64{}
	for _, id := range ids {
		r := c.record(id)
		if r == nil {
			continue // gone meanwhile
		}
		t := r.asked.Load()
		if t == nil {
			continue
		}
		t.waiting.Store(false)
		counts := map[string]uint64{}
		for i := range t.slots {
			if n := t.slots[i].count.Swap(0); n > 0 {
				t.slots[i].taken.Add(n)
				counts[networkName(t.slots[i].network.Load())] = n
			}
		}
		if n := t.other.Swap(0); n > 0 {
			counts[OtherNetworks] = n
		}
		if len(counts) > 0 {
			out[id] = counts
		}
	}
	return out
}

const (
	network4 = 1 << 62 // with the first 24 bits of an IPv4 address
	network6 = 1 << 61 // with the first 48 of an IPv6 one
)

// network returns the client's network, not its address, for privacy. It is never zero.
func network(client netip.Addr) uint64 {
	if client.Is4() || client.Is4In6() {
		a := client.As4()
		return network4 | uint64(binary.BigEndian.Uint32(a[:])>>8)
	}
	a := client.As16()
	return network6 | binary.BigEndian.Uint64(a[:8])>>16
}

func networkName(n uint64) string {
	if n&network4 != 0 {
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], uint32(n<<8))
		return netip.PrefixFrom(netip.AddrFrom4(a), 24).String()
	}
	var a [16]byte
	binary.BigEndian.PutUint64(a[:8], n<<16)
	return netip.PrefixFrom(netip.AddrFrom16(a), 48).String()
}

// askedLifetime is how long the counts of a name stay that nobody asks for any more.
const askedLifetime = time.Hour

// AddAsked implements Store. The counts of a name are the hash
// signpost:{acme.example.com}:asked:<uuid>, network to number. They are only
// written while the name has values, so that none are left behind by a removal.
func (r *Redis) AddAsked(ctx context.Context, id uuid.UUID, counts map[string]uint64) error {
	return r.call(ctx, &r.writing, func(ctx context.Context) error {
		err := r.watch(ctx, func(tx *redis.Tx) error {
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
			return nil // the values changed meanwhile; a count is not worth a retry
		}
		return err
	})
}

// Asked implements Store.
func (r *Redis) Asked(ctx context.Context, id uuid.UUID) (counts map[string]uint64, err error) {
	err = r.call(ctx, &r.reading, func(ctx context.Context) error {
		fields, err := r.client.HGetAll(ctx, r.askedKey(id)).Result()
		counts = make(map[string]uint64, len(fields))
		for network, text := range fields {
			if n, err := strconv.ParseUint(text, 10, 64); err == nil {
				counts[network] = n
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return counts, nil
}

func (r *Redis) askedKey(id uuid.UUID) string { return r.prefix + "asked:" + id.String() }
