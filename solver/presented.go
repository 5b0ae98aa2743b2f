package solver

import (
	"maps"
	"sync"
	"time"

	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/internal/store"
)

// presented is what this replica has presented itself. cert-manager notes that in
// the Challenge only after its self-check, a minute later; a record that is lost
// in between would not be put back.
type presented struct {
	mu    sync.Mutex
	what  map[presentation]time.Time
	calls map[presentation]*calls // as cert-manager made them
	count uint64                  // of calls
}

// calls are the last ones for a challenge, numbered as they came.
type calls struct {
	present, cleanUp uint64
	at               time.Time
}

type presentation struct{ namespace, domain, key string }

// maxPresented bounds it: cert-manager works on far fewer challenges at a time.
const maxPresented = 10_000

// callsKept is how long a call may matter to another one: longer than Present takes.
const callsKept = 2 * presentTimeout

// call numbers a call.
func (p *presented) call(c presentation, cleanUp bool) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if len(p.calls) >= maxPresented || p.count%1000 == 0 {
		maps.DeleteFunc(p.calls, func(_ presentation, old *calls) bool { return now.Sub(old.at) > callsKept })
	}
	if p.calls == nil {
		p.calls = map[presentation]*calls{}
	}
	known := p.calls[c]
	if known == nil {
		known = &calls{}
		p.calls[c] = known
	}
	p.count++
	known.at = now
	if cleanUp {
		known.cleanUp = p.count
	} else {
		known.present = p.count
	}
	return p.count
}

// ended reports whether CleanUp has come since the Present with that number, and
// whether Present has come again after that.
func (p *presented) ended(c presentation, number uint64) (ended, again bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.endedLocked(c, number)
}

func (p *presented) endedLocked(c presentation, number uint64) (ended, again bool) {
	known := p.calls[c]
	if known == nil { // it took longer than all that is kept
		return true, false
	}
	return known.cleanUp > number, known.present > known.cleanUp
}

// add notes what the Present with that number has presented, unless it has ended.
func (p *presented) add(c presentation, number uint64, namespace, domain, key string) (ended, again bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if ended, again = p.endedLocked(c, number); ended {
		return ended, again
	}
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
	return false, again
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
