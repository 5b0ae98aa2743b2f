package check

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/internal/zone"
)

const (
	registryTTL   = 10 * time.Minute // how long the servers of a registry are remembered
	maxRegistries = 1000             // then all are forgotten
)

// registries remembers the servers of registries.
type registries struct {
	mu   sync.Mutex
	sets map[string]registrySet // by suffix
}

type registrySet struct {
	set
	until time.Time
}

// registry returns the servers of the zone that the domain with name is registered in.
func (k *looking) registry(ctx context.Context, name string) (set, error) {
	_, suffix, _ := strings.Cut(zone.Registered(name), ".")
	if suffix == "" {
		suffix = name
	}
	r := &k.c.registries
	r.mu.Lock()
	known, ok := r.sets[suffix]
	r.mu.Unlock()
	if ok && time.Now().Before(known.until) {
		return known.set, nil
	}
	apex, err := zoneOf(ctx, k.askResolver, suffix)
	if err != nil {
		return set{}, err
	}
	servers, err := serversOf(ctx, k.askResolver, apex)
	if err != nil {
		return set{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sets == nil || len(r.sets) >= maxRegistries {
		r.sets = map[string]registrySet{}
	}
	s := set{apex, servers}
	r.sets[suffix] = registrySet{s, time.Now().Add(registryTTL)}
	return s, nil
}

// private is for a domain below a top-level domain that the root does not have, such
// as internal: only those who share our resolver see it, so the resolver says who
// serves it.
func (k *looking) private(ctx context.Context, root set, name string) (set, bool) {
	top := name[strings.LastIndexByte(name, '.')+1:]
	if m, _, err := k.first(ctx, root, top); err != nil || m.Rcode != dns.RcodeNameError {
		return set{}, false
	}
	apex, err := zoneOf(ctx, k.askResolver, zone.Registered(name))
	if err != nil || apex == "" {
		return set{}, false
	}
	servers, err := serversOf(ctx, k.askResolver, apex)
	return set{apex, servers}, err == nil
}
