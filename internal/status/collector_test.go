package status

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/internal/store"
	"github.com/signpost-acme/signpost/internal/zone"
)

// fakeWorld is the cluster, the store, the copy and the DNS in one.
type fakeWorld struct {
	mu           sync.Mutex
	certificates []cluster.Certificate
	challenges   []cluster.Challenge
	holders      map[string]string // by the name of a Challenge
	requests     []cluster.Request
	unnamed      []cluster.IssuerRef
	groups       []cluster.OtherGroup
	follows      bool
	lists, busy  uint64 // calls of Changes, and whether each returns another number
	problem      string
	addresses    []netip.Addr
	hosts        []string
	addressErr   error

	replicas    []string
	storeErr    error
	storeHangs  bool
	asked       map[string]uint64
	askedErr    error
	findings    map[string][]check.Finding // by scope/domain
	delegation  []check.Finding
	checksTake  time.Duration
	answer      func(domain string) []check.Finding
	hangs       func(domain string) bool           // until the deadline
	asks        int                                // calls of Asked
	found       map[uuid.UUID]map[uuid.UUID][]byte // by cluster and target
	puts        int                                // calls of PutFound
	same        bool                               // Changed says that nothing has
	checks      map[string]int
	directories []string // names of CAs with which domains were checked
	reads       int      // of the gate's configuration
	most, now   int      // checks at once
}

// read reads a field, set changes some.
func read[T any](f *fakeWorld, field *T) T { f.mu.Lock(); defer f.mu.Unlock(); return *field }

func (f *fakeWorld) set(change func()) { f.mu.Lock(); defer f.mu.Unlock(); change() }

func (f *fakeWorld) Certificates() []cluster.Certificate { return read(f, &f.certificates) }
func (f *fakeWorld) Challenges() []cluster.Challenge     { return read(f, &f.challenges) }
func (f *fakeWorld) Holder(c cluster.Challenge) string   { return read(f, &f.holders)[c.Name] }
func (f *fakeWorld) Changes() (n uint64)                 { f.set(func() { f.lists++; n = f.lists * f.busy }); return n }
func (f *fakeWorld) FollowsCertificates() bool           { return read(f, &f.follows) }
func (f *fakeWorld) OtherGroups() []cluster.OtherGroup   { return read(f, &f.groups) }
func (f *fakeWorld) Requests() []cluster.Request         { return read(f, &f.requests) }
func (f *fakeWorld) Unnamed() []cluster.IssuerRef        { return read(f, &f.unnamed) }

func (f *fakeWorld) GateConfiguration(context.Context, string) string {
	f.set(func() { f.reads++ })
	return read(f, &f.problem)
}

func (f *fakeWorld) ServiceAddresses(context.Context, string, string) ([]netip.Addr, []string, error) {
	return read(f, &f.addresses), read(f, &f.hosts), read(f, &f.addressErr)
}

func (f *fakeWorld) Replicas(ctx context.Context) ([]string, error) {
	f.mu.Lock()
	hangs, err := f.storeHangs, f.storeErr
	f.mu.Unlock()
	if hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return f.replicas, err
}

func (f *fakeWorld) Asked(context.Context, uuid.UUID) (map[string]uint64, error) {
	f.set(func() { f.asks++ })
	if f.askedErr != nil {
		time.Sleep(3 * time.Second) // as long as the store takes to give up
	}
	return f.asked, f.askedErr
}

func (f *fakeWorld) PutFound(_ context.Context, cluster, id uuid.UUID, found []byte) error {
	f.set(func() {
		if f.found == nil {
			f.found = map[uuid.UUID]map[uuid.UUID][]byte{}
		}
		if f.found[cluster] == nil {
			f.found[cluster] = map[uuid.UUID][]byte{}
		}
		f.found[cluster][id] = found
		f.puts++
	})
	return read(f, &f.storeErr)
}

func (f *fakeWorld) Found(_ context.Context, cluster uuid.UUID, since time.Time) (found store.Found, err error) {
	f.set(func() { found = store.Found{New: maps.Clone(f.found[cluster]), Until: since.Add(1)} })
	return found, read(f, &f.storeErr)
}

func (f *fakeWorld) Len() int     { return 7 }
func (f *fakeWorld) Synced() bool { return true }

func (f *fakeWorld) Delegation(context.Context) []check.Finding { return f.delegation }

func (f *fakeWorld) Domain(ctx context.Context, scope, domain string, ca check.CA) []check.Finding {
	f.mu.Lock()
	if f.checks == nil {
		f.checks = map[string]int{}
	}
	f.checks[scope+"/"+domain]++
	f.directories = append(f.directories, ca.Identities...)
	f.now++
	f.most = max(f.most, f.now)
	takes := f.checksTake
	if f.hangs != nil && f.hangs(domain) {
		takes = time.Hour
	}
	f.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-ctx.Done():
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now--
	if ctx.Err() != nil {
		return []check.Finding{{Check: "cname-unknown", Status: check.Unknown}}
	}
	if f.answer != nil {
		return f.answer(domain)
	}
	if list := f.findings[scope+"/"+domain]; list != nil {
		return list
	}
	return []check.Finding{{Check: "cname", Status: check.OK}}
}

// collecting runs a Collector in a bubble with its own clock. change is called
// before it starts.
func collecting(t *testing.T, f *fakeWorld, change func(*Config), test func(t *testing.T, c *Collector)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		z, err := zone.New("acme.example.com")
		if err != nil {
			t.Fatal(err)
		}
		f.follows, f.busy = true, 1
		if f.replicas == nil {
			f.replicas = []string{"10.0.0.1:53", "10.0.0.2:53"}
		}
		config := Config{
			Version: "v1", Zone: z, Nameservers: []zone.Nameserver{{Name: "ns.example.com"}}, Group: "acme.example.com", Namespace: "cert-manager",
			Address: "10.0.0.1:53", Redis: true, Mine: func(string) bool { return true }, Cluster: f, Store: f, Copy: f, Checker: f, Log: slog.New(slog.DiscardHandler),
		}
		if change != nil {
			change(&config)
		}
		c := New(config)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { c.Run(ctx); close(done) }()
		t.Cleanup(func() { cancel(); <-done })
		synctest.Wait()
		test(t, c)
	})
}

func certificate(namespace, name, scope string, dnsNames ...string) cluster.Certificate {
	return cluster.Certificate{Namespace: namespace, Name: name, Scope: scope, DNSNames: dnsNames, Issuer: "ClusterIssuer/le"}
}

// The snapshot carries the time of the look, and gets old when looks stop.
func TestSnapshotGetsOld(t *testing.T) {
	f := &fakeWorld{}
	collecting(t, f, nil, func(t *testing.T, c *Collector) {
		for range 10 {
			time.Sleep(time.Minute)
			if age := time.Since(c.Snapshot().At); age > interval {
				t.Fatalf("while all is well it is %v old", age)
			}
		}
		f.set(func() { f.storeHangs = true })
		time.Sleep(10 * time.Minute)
		if age := time.Since(c.Snapshot().At); age < 10*time.Minute-interval {
			t.Errorf("no look has ended for ten minutes, and it says that it is %v old", age)
		}
		if s := c.Snapshot(); len(s.Replicas) != 2 || s.Zone == "" {
			t.Errorf("what was known is not shown: %+v", s)
		}
	})
}

// Before the first look nothing is known, and nobody waits for it.
func TestBeforeTheFirstLook(t *testing.T) {
	collecting(t, &fakeWorld{storeHangs: true}, nil, func(t *testing.T, c *Collector) {
		if s := c.Snapshot(); !s.At.IsZero() || s.Zone != "" {
			t.Errorf("%+v", s)
		}
	})
}

// A Redis that accepts and never answers costs one call's time a look, however many
// challenges there are.
func TestSilentStore(t *testing.T) {
	f := &fakeWorld{askedErr: errors.New("timeout")}
	for i := range 40 {
		f.challenges = append(f.challenges, cluster.Challenge{Namespace: "web", Name: fmt.Sprint("c", i), Scope: "web", Domain: fmt.Sprintf("n%d.example.com", i)})
	}
	collecting(t, f, nil, func(t *testing.T, c *Collector) {
		time.Sleep(time.Minute)
		if age := time.Since(c.Snapshot().At); age > 2*interval+3*time.Second {
			t.Errorf("it is %v old", age)
		}
		if read(f, &f.asks) < 10 || read(f, &f.asks) > 21 {
			t.Errorf("the store was asked %d times in a minute", read(f, &f.asks))
		}
		if s := c.Snapshot(); len(s.Domains) != 40 || len(s.Domains[0].Challenges) != 1 {
			t.Errorf("%d domains", len(s.Domains))
		}
	})
}

// With a store that says that it cannot be reached, Asked is not even tried.
func TestStoreCannotBeReached(t *testing.T) {
	f := &fakeWorld{storeErr: errors.New("refused"), challenges: []cluster.Challenge{{Namespace: "web", Name: "c", Scope: "web", Domain: "example.com"}}}
	collecting(t, f, nil, func(t *testing.T, c *Collector) {
		s := c.Snapshot()
		if s.Store.OK || s.Store.Text == "" || f.asks != 0 || len(s.Replicas) != 1 || !s.Replicas[0].Self || s.Store.Kind != "redis" || s.Store.Names != 7 {
			t.Errorf("%d calls, %+v", f.asks, s)
		}
	})
}

// TestDomains: those of all Certificates, Challenges and requests, each once for a
// scope, sorted.
func TestDomains(t *testing.T) {
	target := func(scope, domain string) zone.Target {
		z, _ := zone.New("acme.example.com")
		target, err := z.Target(scope, domain)
		if err != nil {
			t.Fatal(err)
		}
		return target
	}
	since := time.Now()
	f := &fakeWorld{
		certificates: []cluster.Certificate{
			certificate("web", "a", "cert-manager", "b.example.com", "*.b.example.com", "a.example.com"),
			certificate("web", "b", "cert-manager", "a.example.com"),
			certificate("web", "c", "web", "a.example.com", "not a name", "x.acme.example.com", "xn--mnchen-3ya.example"),
		},
		challenges: []cluster.Challenge{
			{Namespace: "web", Name: "c1", Scope: "cert-manager", Domain: "b.example.com", Wildcard: true, State: "pending", Reason: "r", Presented: true, Since: since},
			{Namespace: "web", Name: "c2", Scope: "cert-manager", Domain: "z.example.com"},
			{Namespace: "web", Name: "c3", Scope: "cert-manager", Domain: "a..b"},
		},
		requests: []cluster.Request{
			{Wanted: cluster.Wanted{Targets: []zone.Target{target("cert-manager", "a.example.com"), target("cert-manager", "r.example.com")}}, Namespace: "web", Name: "denied", Denied: true, Since: since},
			{Wanted: cluster.Wanted{Targets: []zone.Target{target("web", "a.example.com")}, Refused: "never"}, Name: "refused", Signing: true},
			{Wanted: cluster.Wanted{Targets: []zone.Target{target("web", "y.example.com")}}, Namespace: "web", Name: "going on"},
		},
		asked: map[string]uint64{"192.0.2.0/24": 3, "2001:db8::/48": 2, store.OtherNetworks: 5},
	}
	collecting(t, f, nil, func(t *testing.T, c *Collector) {
		time.Sleep(2 * interval)
		s := c.Snapshot()
		var got []string
		for _, d := range s.Domains {
			line := fmt.Sprintf("%s %s certificates=%d challenges=%d", d.Scope, d.Name, len(d.Certificates), len(d.Challenges))
			for _, r := range d.Requests {
				line += " " + r.Namespace + "/" + r.Name + "=" + r.Refused
			}
			got = append(got, line)
			if len(d.Checks) != 1 || d.Record.Name != "_acme-challenge."+d.Name || d.Record.Value != target(d.Scope, d.Name).Name {
				t.Errorf("%+v", d)
			}
		}
		want := []string{
			"cert-manager a.example.com certificates=2 challenges=0 web/denied=",
			"cert-manager b.example.com certificates=1 challenges=1",
			"cert-manager r.example.com certificates=0 challenges=0 web/denied=",
			"cert-manager z.example.com certificates=0 challenges=1",
			"web a.example.com certificates=1 challenges=0 /refused=never",
			"web xn--mnchen-3ya.example certificates=1 challenges=0",
		}
		if !slices.Equal(got, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if s.Domains[5].Unicode != "münchen.example" || s.Domains[0].Unicode != "" {
			t.Errorf("Unicode %q and %q", s.Domains[5].Unicode, s.Domains[0].Unicode)
		}
		ch := s.Domains[1].Challenges[0]
		if ch.DNSName != "*.b.example.com" || !ch.Presented || ch.Asked.Answered != 10 || !slices.Equal(ch.Asked.Networks, []string{"192.0.2.0/24", "2001:db8::/48"}) || !ch.Since.Equal(since) {
			t.Errorf("%+v", ch)
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if len(f.checks) != len(want) {
			t.Errorf("checked %v", f.checks)
		}
	})
}

// A domain that is all right is checked every five minutes, one whose record is missing
// every four seconds at first, one whose servers do not answer more and more seldom; one
// that nobody wants any more is forgotten; few are checked at a time.
func TestChecksPace(t *testing.T) {
	f := &fakeWorld{findings: map[string][]check.Finding{"web/bad.example.com": {{Status: check.OK}, {Status: check.Failed}}, "web/silent.example.com": {{Status: check.Unknown}}, "web/warned.example.com": {{Status: check.Warning}}}}
	f.certificates = []cluster.Certificate{certificate("web", "a", "web", "good.example.com", "bad.example.com", "silent.example.com", "warned.example.com")}
	collecting(t, f, nil, func(t *testing.T, c *Collector) {
		time.Sleep(9*time.Minute + 30*time.Second)
		f.mu.Lock()
		for name, want := range map[string][2]int{"good": {2, 2}, "warned": {2, 2}, "bad": {125, 143}, "silent": {7, 9}} {
			if n := f.checks["web/"+name+".example.com"]; n < want[0] || n > want[1] {
				t.Errorf("%s was checked %d times", name, n)
			}
		}
		f.mu.Unlock()
		f.set(func() { f.certificates = nil })
		time.Sleep(2 * interval)
		c.mu.Lock()
		if len(c.domain) != 0 {
			t.Errorf("%d domains are remembered", len(c.domain))
		}
		c.mu.Unlock()
		var many []string
		for i := range 50 {
			many = append(many, fmt.Sprintf("n%d.example.com", i))
		}
		f.set(func() { f.checksTake = 5 * time.Second })
		f.set(func() { f.certificates = []cluster.Certificate{certificate("web", "a", "web", many...)} })
		time.Sleep(time.Minute)
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.most > checksAtOnce.Urgent+checksAtOnce.Regular+checksAtOnce.Slow {
			t.Errorf("%d checks at once", f.most)
		}
		for _, d := range c.Snapshot().Domains {
			if len(d.Checks) == 0 {
				t.Errorf("%s is not checked after a minute", d.Name)
			}
		}
	})
}

// TestGateFindings: a configuration that lets Orders past the gate, and Issuers
// whose Orders are all denied, are said to be wrong.
func TestGateFindings(t *testing.T) {
	f := &fakeWorld{problem: "has a selector", unnamed: []cluster.IssuerRef{{Kind: "ClusterIssuer", Name: "other"}}, delegation: []check.Finding{{Check: "delegation", Status: check.OK}}}
	collecting(t, f, func(c *Config) { c.GateConfiguration = "signpost" }, func(t *testing.T, c *Collector) {
		time.Sleep(5 * time.Minute)
		s := c.Snapshot().Server
		var got []string
		for _, finding := range s {
			got = append(got, finding.Check+" "+finding.Subject)
			if finding.Check != "delegation" && (finding.Status != check.Failed || finding.Hint == "") {
				t.Errorf("%+v", finding)
			}
		}
		if !slices.Equal(got, []string{"gate-configuration signpost", "gate-issuer-unnamed ClusterIssuer/other", "delegation "}) || s[0].Seen != "has a selector" {
			t.Errorf("findings %q", got)
		}
		if read(f, &f.reads) < 5 || read(f, &f.reads) > 6 {
			t.Errorf("the configuration was read %d times in five minutes", read(f, &f.reads))
		}
		f.set(func() { f.problem, f.unnamed = "", nil })
		time.Sleep(gateInterval + interval)
		if s := c.Snapshot().Server; len(s) != 1 {
			t.Errorf("after it was mended: %+v", s)
		}
	})
	collecting(t, &fakeWorld{problem: "x"}, nil, func(t *testing.T, c *Collector) {
		if time.Sleep(2 * interval); len(c.Snapshot().Server) != 0 {
			t.Error("without a gate something is wrong with it")
		}
	})
}

// TestServiceAddress: the address of the DNS Service becomes that of the nameservers
// that have none, as soon as it is there.
func TestServiceAddress(t *testing.T) {
	var log buffer
	f := &fakeWorld{addressErr: errors.New("forbidden")}
	with := func(c *Config) {
		c.DNSService, c.Log = "signpost/dns", slog.New(slog.NewTextHandler(&log, nil))
		c.Nameservers = append(c.Nameservers, zone.Nameserver{Name: "ns2.example.com", Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.2")}})
	}
	collecting(t, f, with, func(t *testing.T, c *Collector) {
		time.Sleep(time.Minute)
		if s := c.Snapshot().Server; len(s) != 1 || s[0].Check != "service-address" || s[0].Status != check.Unknown {
			t.Errorf("%+v", s)
		}
		if n := strings.Count(log.String(), "forbidden"); n != 1 {
			t.Errorf("said %d times in the log", n)
		}
		f.set(func() { f.addressErr, f.hosts = nil, []string{"lb.example.net"} })
		time.Sleep(serviceInterval + interval)
		if s := c.Snapshot().Server; len(s) != 1 || s[0].Status != check.Failed || s[0].Seen != "lb.example.net" {
			t.Errorf("%+v", s)
		}
		f.set(func() {
			f.addresses, f.hosts = []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}, nil
		})
		time.Sleep(serviceInterval + interval)
		s := c.Snapshot()
		var got []string
		for _, r := range s.Records {
			if r.Type != "NS" {
				got = append(got, r.Name+" "+r.Type+" "+r.Value)
			}
		}
		slices.Sort(got)
		if want := []string{"ns.example.com A 192.0.2.1", "ns.example.com AAAA 2001:db8::1", "ns2.example.com A 192.0.2.2"}; !slices.Equal(got, want) || len(s.Server) != 0 {
			t.Errorf("records %q, findings %+v", got, s.Server)
		}
	})
}

// What cannot be read is said, and Issuers of another installation are logged once.
func TestClusterCannotBeRead(t *testing.T) {
	var log buffer
	f := &fakeWorld{groups: []cluster.OtherGroup{{Issuer: "ClusterIssuer/x", Group: "other.example.com"}}}
	collecting(t, f, func(c *Config) { c.Log, c.Redis = slog.New(slog.NewTextHandler(&log, nil)), false }, func(t *testing.T, c *Collector) {
		f.set(func() { f.follows = false })
		time.Sleep(2 * interval)
		if s := c.Snapshot(); s.Cluster == "" || s.Store.Kind != "memory" {
			t.Errorf("%+v", s)
		}
		f.set(func() { f.follows = true })
		time.Sleep(time.Minute)
		if s := c.Snapshot(); s.Cluster != "" {
			t.Errorf("%+v", s)
		}
		if n := strings.Count(log.String(), "ClusterIssuer/x"); n != 1 {
			t.Errorf("logged %d times: %s", n, log.String())
		}
	})
}

// buffer may be written to and read at the same time.
type buffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *buffer) Write(p []byte) (int, error) { b.mu.Lock(); defer b.mu.Unlock(); return b.b.Write(p) }

func (b *buffer) String() string { b.mu.Lock(); defer b.mu.Unlock(); return b.b.String() }

func (f *fakeWorld) Changed(context.Context, zone.Target) bool { return !read(f, &f.same) }
