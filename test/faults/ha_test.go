package faults

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/signpost-acme/signpost/internal/redistest"
)

// holds is an error unless text has part in it.
func holds(text any, part string) error {
	if s, ok := text.(string); !ok || !strings.Contains(s, part) {
		return fmt.Errorf("no %s in %v", part, text)
	}
	return nil
}

func sentinelFailover(t *testing.T) row {
	master := redistest.Start(t)
	host, port, _ := strings.Cut(master.Addr, ":")
	second := redistest.Start(t, "--replicaof", host, port)
	eventually(t, "the second server follows the first", func() error { return holds(second.Do("INFO", "replication"), "master_link_status:up") })
	sentinel := redistest.StartSentinel(t, master)
	eventually(t, "Sentinel knows both", func() error { return holds(sentinel.Do("INFO", "sentinel"), "slaves=1") })
	s := newStage(t, "sentinel", sentinel.URL()+"?master_name=signpost")
	s.start(2, false)
	return s.run(fault{
		begin: func() { master.Do("WAIT", 1, 5000); master.Kill() },
		known: []string{"value"}, unknown: []string{nothing}, may: []string{servfail},
	})
}

// cluster is a Redis Cluster of two servers that share the slots.
type cluster struct {
	t       *testing.T
	servers [2]*redistest.Server
}

func newCluster(t *testing.T) *cluster {
	c := &cluster{t: t}
	for i, slots := range [][2]int{{0, 8191}, {8192, 16383}} {
		c.servers[i] = redistest.Start(t, "--cluster-enabled", "yes")
		c.servers[i].AddSlots(slots[0], slots[1])
	}
	host, port, _ := net.SplitHostPort(c.servers[1].Addr)
	c.servers[0].Do("CLUSTER", "MEET", host, port)
	for _, s := range c.servers {
		eventually(t, "the cluster is up", func() error {
			info := s.Do("CLUSTER", "INFO")
			return errors.Join(holds(info, "cluster_state:ok"), holds(info, "cluster_known_nodes:2"))
		})
	}
	return c
}

// clusterResharding moves the zone's slot as redis-cli does, with a pause in the
// middle, in which some keys are here and some there.
func clusterResharding(t *testing.T) row {
	c := newCluster(t)
	s := newStage(t, "cluster", c.servers[0].URL()+"?addr="+c.servers[1].Addr)
	s.start(2, false)
	slot := c.servers[0].Do("CLUSTER", "KEYSLOT", "{"+s.zone.Origin()+"}").(int64)
	from, to := c.servers[0], c.servers[1]
	if slot > 8191 {
		from, to = to, from
	}
	fromID, toID := from.Do("CLUSTER", "MYID"), to.Do("CLUSTER", "MYID")
	host, port, _ := net.SplitHostPort(to.Addr)
	migrate := func(count int) int {
		keys := from.Do("CLUSTER", "GETKEYSINSLOT", slot, count).([]any)
		for _, key := range keys {
			from.Do("MIGRATE", host, port, key, 0, 5000)
		}
		return len(keys)
	}
	return s.run(fault{
		begin: func() {
			to.Do("CLUSTER", "SETSLOT", slot, "IMPORTING", fromID)
			from.Do("CLUSTER", "SETSLOT", slot, "MIGRATING", toID)
			migrate(2)
		},
		end: func() {
			for migrate(100) > 0 {
				continue
			}
			for _, server := range []*redistest.Server{to, from} {
				must(t, server.Client().Do(context.Background(), "CLUSTER", "SETSLOT", slot, "NODE", toID).Err())
			}
		},
		lasts: 3 * time.Second,
		known: []string{"value"}, unknown: []string{nothing}, may: []string{servfail}, present: "succeeds", cleanUp: "succeeds",
	})
}
