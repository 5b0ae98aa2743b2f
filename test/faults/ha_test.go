package faults

import (
	"fmt"
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

// clusterResharding moves the zone's slot as redis-cli does, with a pause in the
// middle, in which some keys are here and some there.
func clusterResharding(t *testing.T) row {
	c := redistest.StartCluster(t)
	s := newStage(t, "cluster", c.URL())
	s.start(2, false)
	var move *redistest.Move
	return s.run(fault{
		begin: func() {
			move = c.BeginMove("{" + s.zone.Origin() + "}")
			move.Keys(2)
		},
		end:   func() { move.End() },
		lasts: 3 * time.Second,
		known: []string{"value"}, unknown: []string{nothing}, may: []string{servfail}, present: "succeeds", cleanUp: "succeeds",
	})
}
