package faults

import (
	"strings"
	"sync"
	"testing"
)

// matrix is every fault, in the order of the table.
var matrix = []struct {
	title string
	run   func(t *testing.T) row
}{
	{"Redis killed, and started again with its data", redisKilled},
	{"Redis killed, and started again empty", redisEmpty},
	{"Redis told to forget everything (`FLUSHALL`)", redisFlushed},
	{"Redis paused (`SIGSTOP`)", redisPaused},
	{"Redis slow (0.3 s for each answer)", redisSlow},
	{"Redis full (`maxmemory`)", redisFull},
	{"Redis read-only (made a replica)", redisReadOnly},
	{"Redis' password changed, then Signpost's", redisPassword},
	{"Redis' TLS certificate expired", redisCertificate},
	{"Redis' disk full, and Signpost's", diskFull},
	{"Redis' clock an hour ahead", clockAhead},
	{"Redis' clock an hour behind", clockBehind},
	{"Sentinel: the master killed", sentinelFailover},
	{"Cluster: the zone's slot moved to another server", clusterResharding},
	{"network between one replica and Redis cut", networkCut},
	{"network between one replica and all else cut", networkGone},
	{"a replica killed in the middle of Present", replicaKilled},
	{"all replicas killed at once", replicasKilled},
	{alone, apiServerGone},
}

// alone is what others would suffer from too.
const alone = "Kubernetes' API server killed"

// TestFaults does every fault of docs/reliability.md, which has what is seen here.
func TestFaults(t *testing.T) {
	rows := make([]row, len(matrix))
	var mu sync.Mutex
	t.Run("each", func(t *testing.T) {
		for i, f := range matrix {
			t.Run(strings.ReplaceAll(f.title, "/", " "), func(t *testing.T) {
				if f.title != alone {
					t.Parallel()
				}
				r := f.run(t)
				r.title = f.title
				mu.Lock()
				defer mu.Unlock()
				rows[i] = r
				t.Log(r)
			})
		}
	})
	if t.Failed() {
		return
	}
	table := []string{"| fault | meanwhile: known names | other names | Present | CleanUp | right again after |", "|---|---|---|---|---|---:|"}
	complete := true
	for _, r := range rows {
		table = append(table, r.String())
		complete = complete && r.title != ""
	}
	if !complete { // a part was run, by -run
		return
	}
	text := strings.Join(table, "\n")
	if *update {
		save(t, "faults", text)
	}
	_, documented := section(t, "faults")
	if got, want := strings.Join(withoutTimes(text), "\n"), strings.Join(withoutTimes(documented), "\n"); got != want {
		t.Errorf("docs/reliability.md says\n%s\nand now this was seen; if it is as it should be, run this test with -update\n%s", want, got)
	}
}
