package main

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/internal/store"
	"github.com/signpost-acme/signpost/internal/web"
	"github.com/signpost-acme/signpost/internal/zone"
)

const (
	statusInterval  = 2 * time.Second  // between two looks at the cluster and the store
	domainInterval  = 10 * time.Second // between two checks of a domain whose CNAME is not there
	settledInterval = 5 * time.Minute  // of one whose is
	serverInterval  = 30 * time.Second // of the delegation
	checksAtOnce    = 8
	checkTimeout    = 20 * time.Second
)

// status keeps what the status page shows, so that showing it waits for nothing.
type status struct {
	daemon   *daemon
	checker  *check.Checker
	cluster  *cluster.Cluster
	settings *clusterSettings
	service  *service
	group    string
	cas      authorities

	directories map[string]string // of the CAs, by scope/domain; touched by run alone

	mu     sync.Mutex
	shown  web.Status
	server checked                     // of the delegation
	domain map[string]checked          // by scope/domain
	groups map[cluster.OtherGroup]bool // said in the log; touched by run alone
}

// checked is what a check found, and when it is due again.
type checked struct {
	results []check.Result
	next    time.Time
	running bool
}

// Status returns what the page shows.
func (s *status) Status() web.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.shown
	out.At = time.Now()
	return out
}

// run keeps it current until ctx is done.
func (s *status) run(ctx context.Context) {
	s.domain, s.groups = map[string]checked{}, map[cluster.OtherGroup]bool{}
	var wg sync.WaitGroup
	defer wg.Wait()
	slots := make(chan struct{}, checksAtOnce)
	ticker := time.NewTicker(statusInterval)
	defer ticker.Stop()
	for {
		s.checkServer(ctx, &wg)
		shown := s.look(ctx)
		s.sayOtherGroups()
		s.checkDomains(ctx, shown.Domains, &wg, slots)
		s.mu.Lock()
		shown.Server = append(s.service.result(), s.server.results...)
		for i, d := range shown.Domains {
			shown.Domains[i].Checks = s.domain[d.Scope+"/"+d.Name].results
		}
		s.shown = shown
		s.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// look collects what the store and the cluster say now.
func (s *status) look(ctx context.Context) web.Status {
	d := s.daemon
	s.service.look(ctx)
	out := web.Status{
		Version: currentVersion(), Zone: d.settings.zone.Origin(), Group: s.group, Namespace: s.settings.namespace, Strict: s.settings.strict,
		Records: append(s.checker.Records(), s.service.records(d.settings.ns)...),
		Store:   web.Store{Kind: "memory", OK: true, Names: d.copy.Len(), Synced: d.copy.Synced()},
	}
	if d.settings.redis.URL != "" {
		out.Store.Kind = "redis"
	}
	replicas, err := d.store.Replicas(ctx)
	if err != nil {
		out.Store.OK, out.Store.Text = false, "cannot be reached; the log of this replica has the cause"
		replicas = []string{d.address}
	}
	for _, address := range replicas {
		out.Replicas = append(out.Replicas, web.Replica{Address: address, Self: address == d.address})
	}
	if !s.cluster.FollowsCertificates() {
		out.Cluster = "the Certificates in the cluster cannot be read: they are still being read for the first time, or the log of this replica says why not"
	}
	out.Domains = s.domains(ctx)
	return out
}

// sayOtherGroups says once for each Issuer that its solver is not this one.
func (s *status) sayOtherGroups() {
	for _, g := range s.cluster.OtherGroups() {
		if !s.groups[g] {
			s.groups[g] = true
			s.daemon.log.Warn("an Issuer names the solver of another Signpost", "issuer", g.Issuer, "groupName", g.Group, "ours", s.group)
		}
	}
}

// domains returns the domains of all Certificates and Challenges that use us.
func (s *status) domains(ctx context.Context) []web.Domain {
	found := map[string]*web.Domain{}
	get := func(scope, name string) *web.Domain {
		record, err := s.checker.DomainRecord(scope, name)
		if err != nil {
			return nil // none that could ever be issued
		}
		domain := strings.TrimPrefix(record.Name, zone.ChallengeName(""))
		key := scope + "/" + domain
		if found[key] == nil {
			found[key] = &web.Domain{Name: domain, Scope: scope, Record: record}
			if u := zone.Unicode(domain); u != domain {
				found[key].Unicode = u
			}
		}
		return found[key]
	}
	directories := map[string]string{}
	for _, c := range s.cluster.Certificates() {
		var seen []*web.Domain
		for _, name := range c.DNSNames {
			if d := get(c.Scope, name); d != nil && !slices.Contains(seen, d) {
				seen = append(seen, d)
				directories[d.Scope+"/"+d.Name] = c.Server
				d.Certificates = append(d.Certificates, web.Certificate{
					Namespace: c.Namespace, Name: c.Name, Secret: c.Secret, DNSNames: c.DNSNames, Issuer: c.Issuer,
					Ready: c.Ready, Reason: c.Reason, NotAfter: c.NotAfter, RenewalTime: c.RenewalTime,
				})
			}
		}
	}
	for _, c := range s.cluster.Challenges() {
		d := get(c.Scope, c.Domain)
		if d == nil {
			continue
		}
		name := c.Domain
		if c.Wildcard {
			name = "*." + name
		}
		d.Challenges = append(d.Challenges, web.Challenge{
			Namespace: c.Namespace, Name: c.Name, DNSName: name, Since: c.Since,
			State: c.State, Reason: c.Reason, Presented: c.Presented, Asked: s.asked(ctx, c),
		})
	}
	s.directories = directories
	var list []web.Domain
	for _, key := range slices.Sorted(maps.Keys(found)) {
		list = append(list, *found[key])
	}
	return list
}

// asked returns how often the target of a challenge was asked for, over all replicas.
func (s *status) asked(ctx context.Context, c cluster.Challenge) (out web.Asked) {
	id, err := s.daemon.settings.zone.ID(c.Scope, c.Domain)
	if err != nil {
		return out
	}
	counts, err := s.daemon.store.Asked(ctx, id)
	if err != nil {
		return out // the store has said it in the log
	}
	for network, n := range counts {
		out.Answered += n
		if network != store.OtherNetworks {
			out.Networks = append(out.Networks, network)
		}
	}
	slices.Sort(out.Networks)
	return out
}

// checkServer checks the delegation, if that is due.
func (s *status) checkServer(ctx context.Context, wg *sync.WaitGroup) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server.running || time.Now().Before(s.server.next) {
		return
	}
	s.server.running = true
	wg.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, checkTimeout)
		defer cancel()
		results := s.checker.Delegation(ctx)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.server = checked{results: results, next: time.Now().Add(serverInterval)}
	})
}

// checkDomains checks those that are due, a few at a time, and forgets those
// that are no more.
func (s *status) checkDomains(ctx context.Context, domains []web.Domain, wg *sync.WaitGroup, slots chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	wanted := map[string]bool{}
	for _, d := range domains {
		key := d.Scope + "/" + d.Name
		wanted[key] = true
		c := s.domain[key]
		if c.running || time.Now().Before(c.next) {
			continue
		}
		select {
		case slots <- struct{}{}:
		default:
			continue // the next round
		}
		c.running = true
		s.domain[key] = c
		directory := s.directories[key]
		wg.Go(func() {
			defer func() { <-slots }()
			ctx, cancel := context.WithTimeout(ctx, checkTimeout)
			defer cancel()
			results := s.checker.Domain(ctx, d.Scope, d.Name, s.cas.identities(ctx, directory))
			fine := !slices.ContainsFunc(results, func(r check.Result) bool { return r.Status == check.Failed || r.Status == check.Unknown })
			next := time.Now().Add(domainInterval)
			if fine {
				next = time.Now().Add(settledInterval)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			s.domain[key] = checked{results: results, next: next}
		})
	}
	maps.DeleteFunc(s.domain, func(key string, c checked) bool { return !wanted[key] && !c.running })
}
