package status

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/internal/schedule"
	"github.com/signpost-acme/signpost/internal/store"
	"github.com/signpost-acme/signpost/internal/zone"
)

// interval is the pause between two looks at the cluster and the store.
const interval = 2 * time.Second

// Cluster is what Kubernetes knows. See cluster.Cluster.
type Cluster interface {
	Certificates() []cluster.Certificate
	Challenges() []cluster.Challenge
	Changes() uint64
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
	PutFound(ctx context.Context, cluster, id uuid.UUID, found []byte) error
	Found(ctx context.Context, cluster uuid.UUID, since time.Time) (store.Found, error)
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
// but DNSService, GateConfiguration, Primaries and History.
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

	// Mine reports whether this replica checks the domain with that scope/name; of all
	// replicas of the cluster with ClusterID one says yes, and tells the others.
	Mine      func(key string) bool
	ClusterID uuid.UUID

	// Primaries returns a mark of the secondaries of each replica that has some, by its
	// address; nil where it is not known.
	Primaries func(context.Context) (map[string]string, error)

	Cluster Cluster
	Store   Store
	Copy    Copy
	Checker Checker
	History *History // nil for none
	Log     *slog.Logger
}

// Collector keeps a Snapshot, so that showing it waits for nothing. Use New.
type Collector struct {
	Config
	service *service
	gate    configuration
	cas     authorities
	looks   *prometheus.CounterVec
	groups  map[cluster.OtherGroup]bool // named in the log; touched by Run alone

	names names
	built built

	turns *schedule.Schedule[string] // by scope/domain, and theServer

	mu     sync.Mutex
	shown  Snapshot
	server []check.Finding      // the delegation
	wishes map[string]wish      // by scope/domain
	keys   map[uuid.UUID]string // scope/domain of each target
	domain map[string]checked   // by scope/domain
	memory memory               // by scope/domain, and theServer
	crowd  crowd
	news   bool // something else was found than is shown

	heard     time.Time // until when the other replicas have been heard
	reread    time.Time // when everything was read again
	strangers bool      // there are domains that nothing has been heard of
}

// theServer is what memory calls the delegation and our DNS server; no domain is.
const theServer = ""

// New returns a Collector that knows nothing yet: see Run.
func New(c Config) *Collector {
	collector := &Collector{Config: c, service: newService(c.Cluster, c.DNSService, c.Log),
		looks: newLooks(), names: names{zone: c.Zone}, groups: map[cluster.OtherGroup]bool{}, domain: map[string]checked{}, memory: memory{}}
	collector.turns = schedule.New(checksAtOnce, collector.check)
	return collector
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
	var turns sync.WaitGroup
	turns.Go(func() { c.turns.Run(ctx) })
	defer turns.Wait()
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		c.round(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (c *Collector) round(ctx context.Context) {
	s := c.look(ctx)
	c.reportOtherGroups()
	c.hear(ctx)
	installation := slices.Concat(c.service.findings(), c.gateFindings())
	c.mu.Lock()
	defer c.mu.Unlock()
	s.Doubt = c.memory.doubt(theServer)
	s.Server = slices.Concat(installation, c.server)
	if c.news && !c.built.now { // what is shown already must not be changed
		s.Domains = slices.Clone(s.Domains)
	}
	if c.news || c.built.now {
		for i := range s.Domains {
			d := &s.Domains[i]
			key := c.names.of(d.Scope, d.Name).key
			d.Checks, d.CheckedAt, d.Doubt = c.domain[key].findings, c.domain[key].at, c.memory.doubt(key)
			d.CA, d.Account = c.cas.binding(c.wishes[key].ca)
		}
		foresee(s.Domains, s.At, c.built.now)
	}
	c.news = false
	c.shown = s
}

// rebuildInterval is how often the list of domains is made although nothing in the
// cluster has changed: what depends on the clock, and on which replicas there are.
const rebuildInterval = 30 * time.Second

// built is when the list of domains was made, and of what. Touched by Run alone.
type built struct {
	now        bool // in this round
	at         time.Time
	changes    uint64
	challenges bool // there were some, who are asked for all the time
}

// due reports whether the list has to be made.
func (b *built) due(changes uint64, now time.Time) bool {
	return b.changes != changes || b.challenges || now.Sub(b.at) >= rebuildInterval
}

// look collects what the store and the cluster say now.
func (c *Collector) look(ctx context.Context) Snapshot {
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
	c.markPrimaries(ctx, s.Replicas)
	if !c.Cluster.FollowsCertificates() {
		s.Cluster = "the Certificates in the cluster cannot be read: they are still being read for the first time, or the log of this replica says why not"
	}
	changes := c.Cluster.Changes()
	if c.built.now = c.built.due(changes, s.At); !c.built.now {
		s.Domains = c.Snapshot().Domains
		return s
	}
	var cas map[string]ca
	s.Domains, cas = c.domains(ctx, s.Store.OK)
	c.built.at, c.built.changes = s.At, changes
	c.built.challenges = slices.ContainsFunc(s.Domains, func(d Domain) bool { return len(d.Challenges) > 0 })
	c.wish(s.Domains, cas)
	c.names.done()
	return s
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
