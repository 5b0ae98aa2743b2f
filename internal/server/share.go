package server

import (
	"context"
	"os"
	"sync"
	"time"

	"github.com/google/uuid"
	"k8s.io/client-go/rest"

	"github.com/signpost-acme/signpost/internal/store"
)

// shareInterval is how often the list of replicas is read to share work by.
const shareInterval = 2 * time.Second

// share divides work among the live replicas of a cluster by rendezvous hashing:
// each piece is done by the one replica whose hash with it is the highest, and when a
// replica comes or goes only the pieces that it wins or leaves move. While the list is
// changing a piece may be done twice, or wait for shareInterval.
type share struct {
	self    string
	cluster uuid.UUID // the same for all replicas of a cluster, another for those of others
	store   replicas

	mu     sync.Mutex
	others []string
}

// replicas is what is needed of the store. See store.Store.
type replicas interface {
	Replicas(ctx context.Context) ([]string, error)
	Vouch(ctx context.Context, id uuid.UUID, lifetime time.Duration) error
	Vouched(ctx context.Context, ids []uuid.UUID) ([]bool, error)
}

// clusterID tells clusters apart that share a Redis: by the address of the API server
// and its CA.
func clusterID(config *rest.Config) uuid.UUID {
	ca := config.CAData
	if len(ca) == 0 {
		ca, _ = os.ReadFile(config.CAFile) // without, the address alone
	}
	return uuid.NewSHA1(uuid.NameSpaceURL, append([]byte(config.Host+"\n"), ca...))
}

// run keeps the list until ctx is done. If it cannot be read, this replica does
// everything: what the others do as well is done twice, which does no harm.
func (s *share) run(ctx context.Context) {
	ticker := time.NewTicker(shareInterval)
	defer ticker.Stop()
	for {
		list := s.ours(ctx)
		s.mu.Lock()
		s.others = list
		s.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// ours returns the live replicas of this cluster, none if the store does not tell. It
// also tells the others that this replica is one.
func (s *share) ours(ctx context.Context) (list []string) {
	ctx, cancel := context.WithTimeout(ctx, shareInterval)
	defer cancel()
	_ = s.store.Vouch(ctx, s.member(s.self), store.HeartbeatLifetime) // already logged by the store
	all, _ := s.store.Replicas(ctx)
	if len(all) == 0 {
		return nil
	}
	ids := make([]uuid.UUID, len(all))
	for i, address := range all {
		ids[i] = s.member(address)
	}
	yes, err := s.store.Vouched(ctx, ids)
	if err != nil {
		return nil
	}
	for i, address := range all {
		if yes[i] {
			list = append(list, address)
		}
	}
	return list
}

// member is what a replica of this cluster vouches for.
func (s *share) member(address string) uuid.UUID { return uuid.NewSHA1(s.cluster, []byte(address)) }

// mine reports whether the piece of work with that key is this replica's.
func (s *share) mine(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	own := weight(s.self, key)
	for _, other := range s.others {
		if other == s.self {
			continue
		}
		if w := weight(other, key); w > own || w == own && other > s.self {
			return false
		}
	}
	return true
}

// weight is FNV-1a of both, mixed: FNV hardly brings its last octets into the high bits.
// It is made for each domain in each round, and without memory of its own.
func weight(replica, key string) uint64 {
	x := uint64(14695981039346656037)
	for _, part := range [...]string{replica, "\n", key} {
		for i := range len(part) {
			x = (x ^ uint64(part[i])) * 1099511628211
		}
	}
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	return x
}
