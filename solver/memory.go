package solver

import (
	"sync"
	"time"

	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/internal/store"
)

// memory is what this replica has presented itself. cert-manager notes that in
// the Challenge only after its self-check, a minute later; a record that is lost
// in between would not be put back.
type memory struct {
	mu   sync.Mutex
	what map[presentation]time.Time
}

type presentation struct{ namespace, domain, key string }

// maxMemory bounds the memory: cert-manager works on far fewer challenges at a time.
const maxMemory = 10_000

func (m *memory) add(namespace, domain, key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.what == nil {
		m.what = map[presentation]time.Time{}
	}
	now := time.Now()
	if len(m.what) >= maxMemory {
		for p, t := range m.what {
			if now.Sub(t) > store.Lifetime || len(m.what) >= maxMemory {
				delete(m.what, p)
			}
		}
	}
	m.what[presentation{namespace, domain, key}] = now
}

func (m *memory) remove(namespace, domain, key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.what, presentation{namespace, domain, key})
}

// namespaces returns those at whose targets this replica has presented the key.
func (m *memory) namespaces(domain, key string) (list []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for p := range m.what {
		if p.domain == domain && p.key == key {
			list = append(list, p.namespace)
		}
	}
	return list
}

// Presented reports whether this replica has presented a challenge, and has not
// been asked to clean it up. Another replica may have been.
func (s *Solver) Presented(c cluster.Challenge) bool {
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	_, ok := s.memory.what[presentation{c.Scope, c.Domain, c.Key}]
	return ok
}
