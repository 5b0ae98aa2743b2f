package server

import (
	"fmt"
	"log/slog"
	"slices"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/signpost-acme/signpost/internal/redistest"
	"github.com/signpost-acme/signpost/internal/store"
)

// Every piece of work is one replica's, about as much each, and few pieces move
// when a replica goes.
func TestShare(t *testing.T) {
	replicas := []string{"10.0.0.1:53", "10.0.0.2:53", "10.0.0.3:53"}
	owners := func(live []string) map[string]string {
		owner := map[string]string{}
		for _, self := range live {
			s := &share{self: self, others: live}
			for i := range 3000 {
				if key := fmt.Sprint("uid-", i); s.mine(key) {
					if before := owner[key]; before != "" {
						t.Fatalf("%s is the work of %s and of %s", key, before, self)
					}
					owner[key] = self
				}
			}
		}
		return owner
	}
	all, fewer := owners(replicas), owners(replicas[:2])
	if len(all) != 3000 || len(fewer) != 3000 {
		t.Fatalf("of 3000 pieces %d and %d are somebody's work", len(all), len(fewer))
	}
	count, moved := map[string]int{}, 0
	for key, owner := range all {
		count[owner]++
		if owner != replicas[2] && fewer[key] != owner {
			moved++
		}
	}
	for replica, n := range count {
		if n < 800 || n > 1200 {
			t.Errorf("%s has %d of 3000 pieces", replica, n)
		}
	}
	if moved > 0 {
		t.Errorf("%d pieces of the replicas that stay have moved", moved)
	}
	if alone := (&share{self: "a"}); !alone.mine("x") {
		t.Error("without a list this replica does not do everything")
	}
}

// Replicas of another cluster, which share the Redis but see other requests, have no
// part in this one's work.
func TestShareOfTwoClusters(t *testing.T) {
	st := redistest.Start(t)
	open := func() *store.Redis {
		r, err := store.NewRedis("acme.example.com", store.RedisOptions{URL: st.URL()}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close() })
		return r
	}
	var all []*share
	for i, ca := range []string{"a", "a", "b"} {
		s := &share{self: fmt.Sprintf("10.0.0.%d:53", i), cluster: clusterID(&rest.Config{Host: "https://10.96.0.1", TLSClientConfig: rest.TLSClientConfig{CAData: []byte(ca)}}), store: open()}
		if err := s.store.(*store.Redis).Announce(t.Context(), s.self); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	for range 2 { // all have told before they look
		for _, s := range all {
			s.others = s.ours(t.Context())
		}
	}
	for i, want := range [][]string{{"10.0.0.0:53", "10.0.0.1:53"}, {"10.0.0.0:53", "10.0.0.1:53"}, {"10.0.0.2:53"}} {
		if !slices.Equal(all[i].others, want) {
			t.Errorf("replica %d shares with %q, want %q", i, all[i].others, want)
		}
	}
}
