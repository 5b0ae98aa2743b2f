package redistest

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/signpost-acme/signpost/internal/poll"
)

// Cluster is a Redis Cluster of two masters that share the slots.
type Cluster struct {
	Servers [2]*Server
	t       testing.TB
}

// StartCluster starts one, and returns when it is up.
func StartCluster(t testing.TB) *Cluster {
	t.Helper()
	c := &Cluster{t: t}
	for i, slots := range [2][2]int{{0, 8191}, {8192, 16383}} {
		c.Servers[i] = Start(t, "--cluster-enabled", "yes")
		c.Servers[i].AddSlots(slots[0], slots[1])
	}
	host, port, _ := net.SplitHostPort(c.Servers[1].Addr)
	c.Servers[0].Do("CLUSTER", "MEET", host, port)
	for _, s := range c.Servers {
		client := s.Client()
		poll.True(t, 20*time.Second, "the Redis Cluster is up", func() bool {
			info, _ := client.ClusterInfo(context.Background()).Result()
			return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:2")
		})
	}
	return c
}

// URL returns one that has the addresses of both servers.
func (c *Cluster) URL() string { return c.Servers[0].URL() + "?addr=" + c.Servers[1].Addr }

// Move is a slot that is being moved from one server to the other.
type Move struct {
	t        testing.TB
	slot     int64
	ids      [2]string // of the servers
	from, to *redis.Client
	server   *Server // to
}

// BeginMove begins to move the slot that has a key, as redis-cli does. The slot's keys
// stay where they are until Keys or End is called.
func (c *Cluster) BeginMove(key string) *Move {
	c.t.Helper()
	ctx := context.Background()
	m := &Move{t: c.t}
	from, to := c.Servers[0], c.Servers[1]
	if _, err := from.Client().Exists(ctx, key).Result(); redis.HasErrorPrefix(err, "MOVED") {
		from, to = to, from
	}
	m.from, m.to, m.server = from.Client(), to.Client(), to
	m.slot = m.from.ClusterKeySlot(ctx, key).Val()
	m.ids = [2]string{m.from.ClusterMyID(ctx).Val(), m.to.ClusterMyID(ctx).Val()}
	m.do(m.to, "CLUSTER", "SETSLOT", m.slot, "IMPORTING", m.ids[0])
	m.do(m.from, "CLUSTER", "SETSLOT", m.slot, "MIGRATING", m.ids[1])
	return m
}

// Keys moves up to n keys, one by one, and returns how many there were.
func (m *Move) Keys(n int) int {
	m.t.Helper()
	keys, err := m.from.ClusterGetKeysInSlot(context.Background(), int(m.slot), n).Result()
	if err != nil {
		m.t.Fatal(err)
	}
	host, port, _ := net.SplitHostPort(m.server.Addr)
	for _, key := range keys {
		m.do(m.from, "MIGRATE", host, port, key, 0, 5000)
	}
	return len(keys)
}

// End moves the keys that are left, and gives the slot to the other server.
func (m *Move) End() {
	m.t.Helper()
	for m.Keys(100) > 0 {
		continue
	}
	for _, client := range []*redis.Client{m.to, m.from} {
		m.do(client, "CLUSTER", "SETSLOT", m.slot, "NODE", m.ids[1])
	}
}

func (m *Move) do(client *redis.Client, args ...any) {
	m.t.Helper()
	if err := client.Do(context.Background(), args...).Err(); err != nil {
		m.t.Fatalf("%v: %v", args, err)
	}
}
