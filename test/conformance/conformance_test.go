// Package conformance runs cert-manager's own suite for webhook solvers, against
// a real API server, with the solver on real Redis and a real DNS server.
package conformance

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	dns "github.com/cert-manager/cert-manager/test/acme"

	"github.com/signpost-acme/signpost/dnsserve"
	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/redistest"
	"github.com/signpost-acme/signpost/internal/store"
	"github.com/signpost-acme/signpost/internal/zone"
	"github.com/signpost-acme/signpost/solver"
	"github.com/signpost-acme/signpost/test/sandbox"
	"github.com/signpost-acme/signpost/test/world"
)

// The suite looks for its programs before main begins, so make names them in
// the environment (TEST_ASSET_ETCD and so on).
func TestMain(m *testing.M) {
	sandbox.Main(world.Sandbox(), m.Run)
}

// newSolver returns a solver on a Redis of its own, and the address of a DNS
// server that answers from that Redis.
func newSolver(t *testing.T, z *zone.Zone) (*solver.Solver, string) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	redisStore, err := store.NewRedis(z.Origin(), store.RedisOptions{URL: redistest.Start(t).URL()}, log)
	if err != nil {
		t.Fatal(err)
	}
	ns, err := z.Nameservers([]string{"ns." + z.Origin() + "=192.0.2.11"})
	if err != nil {
		t.Fatal(err)
	}
	copied := &store.Copy{}
	server, err := dnsserve.Listen(dnsserve.Config{Zone: z, Nameservers: ns, Records: copied, Listen: []string{"127.0.0.1:0"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	followed, served := make(chan struct{}), make(chan error, 1)
	go func() { redisStore.Follow(ctx, copied); close(followed) }()
	go func() { served <- server.Run(ctx) }()
	address := server.Addrs()[0].String()
	ticker := time.NewTicker(store.HeartbeatInterval)
	go func() {
		for ; ctx.Err() == nil; <-ticker.C {
			_ = redisStore.Announce(ctx, address)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-followed
		if err := <-served; err != nil {
			t.Error(err)
		}
		redisStore.Close()
	})
	return solver.New(z, redisStore, check.Serves, (&check.Checker{Zone: z}).CNAME, log), address
}

// suite returns the suite for the namespace that one of its tests uses: the
// target depends on it.
func suite(t *testing.T, namespace string) interface {
	RunBasic(*testing.T)
	RunExtended(*testing.T)
} {
	t.Helper()
	z, err := zone.New(world.Zone)
	if err != nil {
		t.Fatal(err)
	}
	target, err := z.Target(namespace, "example.com")
	if err != nil {
		t.Fatal(err)
	}
	s, address := newSolver(t, z)
	return dns.NewFixture(s,
		dns.SetResolvedZone(z.Origin()+"."),
		dns.SetResolvedFQDN(target+"."),
		dns.SetDNSName("example.com"),
		dns.SetDNSServer(address),
		dns.SetUseAuthoritative(false),
		dns.SetStrict(true),
		dns.SetConfig(map[string]bool{"checkCNAME": false}), // nobody has set a CNAME here
		dns.SetPollInterval(50*time.Millisecond),
		dns.SetPropagationLimit(30*time.Second),
	)
}

func TestBasic(t *testing.T)    { suite(t, "basic-present-record").RunBasic(t) }
func TestExtended(t *testing.T) { suite(t, "extended-supports-multiple-same-domain").RunExtended(t) }

// The suite panics where its programs are missing; they must be ours.
func TestAssets(t *testing.T) {
	bin, err := filepath.Abs("../../.cache/bin")
	if err != nil {
		t.Fatal(err)
	}
	for env, name := range map[string]string{"TEST_ASSET_ETCD": "etcd", "TEST_ASSET_KUBE_APISERVER": "kube-apiserver", "TEST_ASSET_KUBECTL": "kubectl"} {
		if os.Getenv(env) != filepath.Join(bin, name) {
			t.Errorf("%s = %q, want %s", env, os.Getenv(env), filepath.Join(bin, name))
		}
	}
}
