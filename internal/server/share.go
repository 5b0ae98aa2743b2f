package server

import (
	"context"
	"hash/fnv"
	"sync"
	"time"
)

// shareInterval is how often the list of replicas is read to share work by.
const shareInterval = 2 * time.Second

// share divides work among the live replicas by rendezvous hashing: each piece is
// done by the one replica whose hash with it is the highest, and when a replica
// comes or goes only the pieces that it wins or leaves move. While the list is
// changing a piece may be done twice, or wait for shareInterval.
type share struct {
	self string
	list func(ctx context.Context) ([]string, error)

	mu     sync.Mutex
	others []string
}

// run keeps the list until ctx is done. If it cannot be read, this replica does
// everything: what the others do as well is done twice, which does no harm.
func (s *share) run(ctx context.Context) {
	ticker := time.NewTicker(shareInterval)
	defer ticker.Stop()
	for {
		list, _ := s.list(ctx) // already logged by the store
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

func weight(replica, key string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(replica + "\n" + key))
	x := h.Sum64() // FNV hardly mixes its last octets into the high bits
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	return x
}
