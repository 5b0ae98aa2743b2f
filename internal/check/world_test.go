package check_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signpost-acme/signpost/dnsserve"
	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/dnstest"
	"github.com/signpost-acme/signpost/internal/zone"
)

// Who is where in the world of these tests.
const (
	parentServer  = "127.53.0.10" // serves example.com, the parent of our zone
	ourServer     = "127.53.0.20" // a real dnsserve
	domainServer  = "127.53.0.30" // serve customer.example
	domainServer2 = "127.53.0.31"
	resolver      = "127.53.0.53"

	ourZone = "acme.example.com"
	domain  = "customer.example"
	scope   = "cert-manager"
)

const rootZone = `
example.com.      NS ns0.example.com.
ns0.example.com.  A  127.53.0.10
customer.example. NS ns1.customer.example.
customer.example. NS ns2.customer.example.
ns1.customer.example. A 127.53.0.30
ns2.customer.example. A 127.53.0.31
co.uk.            NS ns1.customer.example.
elsewhere.example. NS ns1.customer.example.
broken.example.    NS ns1.customer.example.
`

const parentZone = `
@    NS ns0
ns0  A  127.53.0.10
acme NS ns
ns   A  127.53.0.20
`

const domainZone = `
@   NS ns1
@   NS ns2
ns1 A 127.53.0.30
ns2 A 127.53.0.31
www A 192.0.2.80
`

type world struct {
	*dnstest.World
	*check.Checker
	target string // of domain
}

// newWorld is right, but for the domain's CNAME.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{World: dnstest.New(t)}
	w.Serve(".", rootZone, dnstest.RootServer)
	w.Serve("example.com", parentZone, parentServer)
	w.Serve("elsewhere.example", "x A 192.0.2.1", domainServer)
	w.setDomain("")
	z, err := zone.New(ourZone)
	if err != nil {
		t.Fatal(err)
	}
	ns, err := z.Nameservers([]string{"ns.example.com=" + ourServer})
	if err != nil {
		t.Fatal(err)
	}
	w.Checker = &check.Checker{Zone: z, Nameservers: ns, Resolvers: []string{w.Resolver(resolver)},
		Port: w.World.Port, Timeout: 2 * time.Second, PrivateAddresses: true}
	target, err := z.Target(scope, domain)
	if err != nil {
		t.Fatal(err)
	}
	w.target = target.Name
	return w
}

// setDomain sets the records of customer.example, at both of its servers.
func (w *world) setDomain(records string) {
	w.Serve(domain, domainZone+records, domainServer, domainServer2)
}

// serve runs a real server for our zone at an address.
func (w *world) serve(t *testing.T, address string, nameservers ...string) {
	t.Helper()
	ns, err := w.Zone.Nameservers(nameservers)
	if err != nil {
		t.Fatal(err)
	}
	s, err := dnsserve.Listen(dnsserve.Config{Zone: w.Zone, Nameservers: ns, Records: noRecords{},
		Listen: []string{w.Addr(address)}, Identity: "replica-1"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

type noRecords struct{}

func (noRecords) Lookup(uuid.UUID) ([]string, []byte, bool) { return nil, nil, true }

// get returns the Finding of one check; the test fails without it.
func get(t *testing.T, results []check.Finding, id string) check.Finding {
	t.Helper()
	for _, r := range results {
		if r.Check == id {
			return r
		}
	}
	t.Fatalf("no %s among %+v", id, results)
	return check.Finding{}
}

// bad returns the identifiers of all that is not OK.
func bad(results []check.Finding) (out []string) {
	for _, r := range results {
		if r.Status != check.OK {
			out = append(out, r.Check)
		}
	}
	return out
}
