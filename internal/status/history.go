package status

import (
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"k8s.io/apimachinery/pkg/types"

	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/internal/store"
)

// What is kept of challenges: some 640 octets each, in the memory of a replica
// alone. keptInAll ≥ the challenges of a mass re-issue that are under way at a time,
// which cert-manager limits to 60.
const (
	keptOfOne    = 3    // challenges of a domain
	keptInAll    = 4096 // of all domains; the oldest go first
	keptNetworks = 16   // that have asked for one
)

// Past is a challenge of the recent past, or one that is under way: what happened when,
// as this replica has seen it since it started. A time that it has not seen is absent.
type Past struct {
	Namespace string     `json:"namespace"`
	Name      string     `json:"name"`
	DNSName   string     `json:"dnsName"`             // with "*." if it is for the wildcard
	Created   time.Time  `json:"created"`             // of the Challenge
	Presented *time.Time `json:"presented,omitempty"` // the value was served by this replica
	Asked     Asked      `json:"asked"`               // at least, over all replicas
	Decided   *time.Time `json:"decided,omitempty"`   // the CA's verdict was seen
	State     string     `json:"state"`               // of the ACME challenge
	Cleaned   *time.Time `json:"cleaned,omitempty"`   // the value was served no more
	Gone      *time.Time `json:"gone,omitempty"`      // the Challenge was deleted
}

// past is a Past and what it is found by.
type past struct {
	Past
	target uuid.UUID
	uid    types.UID
	value  string // never shown
}

// History keeps the last challenges of each domain, bounded by keptOfOne and keptInAll.
// Its methods may be called from many goroutines, and wait for nothing. Use NewHistory.
type History struct {
	targetOf func(scope, domain string) (uuid.UUID, error)
	served   func(target uuid.UUID) []string
	now      func() time.Time

	mu      sync.Mutex
	byOne   map[uuid.UUID][]*past // by target, the oldest first
	inOrder []*past               // all, the oldest first
}

// NewHistory returns one that knows nothing. targetOf names a domain's target; served
// returns the values that this replica serves under one.
func NewHistory(targetOf func(scope, domain string) (uuid.UUID, error), served func(target uuid.UUID) []string) *History {
	return &History{targetOf: targetOf, served: served, now: time.Now, byOne: map[uuid.UUID][]*past{}}
}

// Challenge takes that a Challenge was created, has changed, or, with gone, was deleted.
func (h *History) Challenge(c cluster.Challenge, gone bool) {
	target, err := h.targetOf(c.Scope, c.Domain)
	if err != nil {
		return
	}
	values := h.served(target)
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.find(target, c.UID)
	if p == nil {
		if gone {
			return
		}
		p = h.add(target, c)
		if !c.Presented && slices.Contains(values, c.Key) { // the value was quicker than the watch
			p.Presented = h.at()
		}
	}
	p.State = c.State
	switch c.State {
	case "valid", "invalid", "errored", "expired":
		if p.Decided == nil {
			p.Decided = h.at()
		}
	}
	if gone && p.Gone == nil {
		p.Gone = h.at()
	}
}

// Values takes which values this replica serves under a target from now on, and how
// often it was asked for them so far, by network: see store.Copy.Changed.
func (h *History) Values(target uuid.UUID, values []string, asked map[string]uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.byOne[target] {
		switch there := slices.Contains(values, p.value); {
		case there && p.Presented == nil && p.Gone == nil:
			p.Presented = h.at()
		case there && p.Cleaned != nil: // it was lost, and is back
			p.Cleaned = nil
		case !there && p.Presented != nil && p.Cleaned == nil:
			p.ask(askedOf(asked))
			p.Cleaned = h.at()
		}
	}
}

// Asked takes how often a target was asked for, over all replicas.
func (h *History) Asked(target uuid.UUID, asked Asked) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.byOne[target] {
		if p.Presented != nil && p.Cleaned == nil {
			p.ask(asked)
		}
	}
}

// ask takes a count that may be of before the last one, or of one replica alone.
func (p *past) ask(asked Asked) {
	p.Asked.Answered = max(p.Asked.Answered, asked.Answered)
	networks := slices.Concat(p.Asked.Networks, asked.Networks)
	slices.Sort(networks)
	networks = slices.Compact(networks)
	p.Asked.Networks = networks[:min(len(networks), keptNetworks)]
}

// askedOf sums counts up.
func askedOf(counts map[string]uint64) (out Asked) {
	for network, n := range counts {
		out.Answered += n
		if network != store.OtherNetworks {
			out.Networks = append(out.Networks, network)
		}
	}
	slices.Sort(out.Networks)
	return out
}

// Of returns what is kept of a target, the latest first. Nobody changes it.
func (h *History) Of(target uuid.UUID) (list []Past) {
	if h == nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range slices.Backward(h.byOne[target]) {
		list = append(list, p.Past)
	}
	return list
}

func (h *History) find(target uuid.UUID, uid types.UID) *past {
	for _, p := range h.byOne[target] {
		if p.uid == uid {
			return p
		}
	}
	return nil
}

// add adds a challenge, and drops the oldest ones beyond the bounds.
func (h *History) add(target uuid.UUID, c cluster.Challenge) *past {
	p := &past{target: target, uid: c.UID, value: c.Key, Past: Past{Namespace: c.Namespace, Name: c.Name, DNSName: dnsNameOf(c), Created: c.Since}}
	h.byOne[target] = append(h.byOne[target], p)
	h.inOrder = append(h.inOrder, p)
	if list := h.byOne[target]; len(list) > keptOfOne {
		h.drop(list[0])
	}
	if len(h.inOrder) > keptInAll {
		h.drop(h.inOrder[0])
	}
	return p
}

func (h *History) drop(p *past) {
	is := func(other *past) bool { return other == p }
	h.inOrder = slices.DeleteFunc(h.inOrder, is)
	if h.byOne[p.target] = slices.DeleteFunc(h.byOne[p.target], is); len(h.byOne[p.target]) == 0 {
		delete(h.byOne, p.target)
	}
}

// at is now, for a field that is absent otherwise.
func (h *History) at() *time.Time {
	now := h.now()
	return &now
}
