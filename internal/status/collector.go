package status

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/internal/zone"
)

// interval is the pause between two looks at the cluster and the store.
const interval = 2 * time.Second

// Cluster is what Kubernetes knows. See cluster.Cluster.
type Cluster interface {
	Certificates() []cluster.Certificate
	Challenges() []cluster.Challenge
	Holder(c cluster.Challenge) string
	FollowsCertificates() bool
	OtherGroups() []cluster.OtherGroup
	Requests() []cluster.Request
	Unnamed() []cluster.IssuerRef
	GateConfiguration(ctx context.Context, name string) (problem string)
	ServiceAddresses(ctx context.Context, namespace, name string) ([]netip.Addr, []string, error)
}

// Store is what all replicas share. See store.Store; every call is bounded in time.
type Store interface {
	Replicas(ctx context.Context) ([]string, error)
	Asked(ctx context.Context, id uuid.UUID) (map[string]uint64, error)
}

// Copy is this replica's image of the store. See store.Copy.
type Copy interface {
	Len() int
	Synced() bool
}

// Checker is what asks the DNS. See check.Checker.
type Checker interface {
	Delegation(ctx context.Context) []check.Finding
	Changed(ctx context.Context, t zone.Target) bool
	Domain(ctx context.Context, scope, domain string, ca check.CA) []check.Finding
}

// Config says what there is to look at. All fields are needed
// but DNSService and GateConfiguration.
type Config struct {
	Version          string
	Zone             *zone.Zone
	Nameservers      []zone.Nameserver
	Group            string // of our webhook, as Issuers name it
	Namespace        string // the scope of ClusterIssuers
	Strict           bool   // it is the Certificate's own namespace instead
	Address          string // of our own DNS server, as the store has it
	Redis            bool   // the store is in Redis
	PrivateAddresses bool   // that the Internet cannot reach are right
	DNSService       string // namespace/name of the Service in front of the DNS server; empty for none

	// GateConfiguration is the name of the ValidatingWebhookConfiguration of the
	// gate; empty for none.
	GateConfiguration string

	Cluster Cluster
	Store   Store
	Copy    Copy
	Checker Checker
	Log     *slog.Logger
}

// Collector keeps a Snapshot, so that showing it waits for nothing. Use New.
type Collector struct {
	Config
	service *service
	gate    configuration
	cas     authorities
	groups  map[cluster.OtherGroup]bool // named in the log; touched by Run alone

	mu     sync.Mutex
	shown  Snapshot
	server checked            // the delegation
	domain map[string]checked // by scope/domain
}

// New returns a Collector that knows nothing yet: see Run.
func New(c Config) *Collector {
	return &Collector{Config: c, service: newService(c.Cluster, c.DNSService, c.Log),
		groups: map[cluster.OtherGroup]bool{}, domain: map[string]checked{}}
}

// Snapshot returns the last one; the zero Snapshot before the first look is done.
// It waits for nothing, and may be called from many goroutines.
func (c *Collector) Snapshot() Snapshot {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.shown
}

// Run keeps the Snapshot up to date until ctx is done. It may be called once.
func (c *Collector) Run(ctx context.Context) {
	var checks errgroup.Group
	checks.SetLimit(checksAtOnce)
	defer func() { _ = checks.Wait() }() // none of them returns an error
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		c.round(ctx, &checks)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (c *Collector) round(ctx context.Context, checks *errgroup.Group) {
	c.checkServer(ctx, checks)
	s, cas := c.look(ctx)
	c.reportOtherGroups()
	c.checkDomains(ctx, s.Domains, cas, checks)
	c.mu.Lock()
	defer c.mu.Unlock()
	s.Server = slices.Concat(c.service.findings(), c.gateFindings(), c.server.findings)
	for i, d := range s.Domains {
		s.Domains[i].Checks = c.domain[d.key()].findings
		s.Domains[i].CA, s.Domains[i].Account = c.cas.binding(cas[d.key()])
	}
	c.shown = s
}

// look collects what the store and the cluster say now. It also returns the
// domains' CAs, by Domain.key.
func (c *Collector) look(ctx context.Context) (Snapshot, map[string]ca) {
	c.service.look(ctx)
	c.gate.look(ctx, c.Cluster, c.GateConfiguration)
	s := Snapshot{
		At: time.Now(), Version: c.Version, Zone: c.Zone.Origin(), Group: c.Group, Namespace: c.Namespace, Strict: c.Strict,
		Records: append(c.Zone.Delegation(c.Nameservers), c.service.records(c.Nameservers)...),
		Store:   StoreState{Kind: "memory", OK: true, Names: c.Copy.Len(), Synced: c.Copy.Synced()},
	}
	if c.Redis {
		s.Store.Kind = "redis"
	}
	replicas, err := c.Store.Replicas(ctx)
	if err != nil { // already logged by the store
		s.Store.OK, s.Store.Text = false, "cannot be reached; the log of this replica has the cause"
		replicas = []string{c.Address}
	}
	for _, address := range replicas {
		s.Replicas = append(s.Replicas, Replica{Address: address, Self: address == c.Address})
	}
	if !c.Cluster.FollowsCertificates() {
		s.Cluster = "the Certificates in the cluster cannot be read: they are still being read for the first time, or the log of this replica says why not"
	}
	var cas map[string]ca
	s.Domains, cas = c.domains(ctx, s.Store.OK)
	return s, cas
}

// reportOtherGroups logs once for each Issuer that its solver is not this one.
func (c *Collector) reportOtherGroups() {
	for _, g := range c.Cluster.OtherGroups() {
		if !c.groups[g] {
			c.groups[g] = true
			c.Log.Warn("an Issuer names the solver of another Signpost", "issuer", g.Issuer, "groupName", g.Group, "ours", c.Group)
		}
	}
}
