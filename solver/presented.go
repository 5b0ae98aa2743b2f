package solver

import (
	"sync"
	"time"

	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/internal/store"
)

// presented is what this replica has presented itself. cert-manager notes that in
// the Challenge only after its self-check, a minute later; a record that is lost
// in between would not be put back.
type presented struct {
	mu   sync.Mutex
	what map[presentation]time.Time
}

type presentation struct{ namespace, domain, key string }

// maxPresented bounds it: cert-manager works on far fewer challenges at a time.
const maxPresented = 10_000

func (p *presented) add(namespace, domain, key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.what == nil {
		p.what = map[presentation]time.Time{}
	}
	now := time.Now()
	if len(p.what) >= maxPresented {
		for c, t := range p.what {
			if now.Sub(t) > store.Lifetime || len(p.what) >= maxPresented {
				delete(p.what, c)
			}
		}
	}
	p.what[presentation{namespace, domain, key}] = now
}

func (p *presented) remove(namespace, domain, key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.what, presentation{namespace, domain, key})
}

// namespaces returns those at whose targets this replica has presented the key.
func (p *presented) namespaces(domain, key string) (list []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.what {
		if c.domain == domain && c.key == key {
			list = append(list, c.namespace)
		}
	}
	return list
}

// Presented reports whether this replica has presented a challenge, and has not
// been asked to clean it up. Another replica may have been.
func (s *Solver) Presented(c cluster.Challenge) bool {
	s.presented.mu.Lock()
	defer s.presented.mu.Unlock()
	_, ok := s.presented.what[presentation{c.Scope, c.Domain, c.Key}]
	return ok
}
