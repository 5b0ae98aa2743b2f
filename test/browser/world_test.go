package browser

import (
	"slices"
	"sync"
	"time"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/status"
	"github.com/signpost-acme/signpost/internal/zone"
)

const scope = "cert-manager"

// world is what the page is told. A test changes it while the browser looks.
type world struct {
	mu     sync.Mutex
	status status.Snapshot
}

func (w *world) get() status.Snapshot {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.status
	s.At = time.Now()
	s.Domains = slices.Clone(s.Domains)
	for i := range s.Domains { // whoever has a snapshot sees no change of it
		s.Domains[i].Certificates = slices.Clone(s.Domains[i].Certificates)
	}
	status.Foresee(s.Domains, s.At)
	return s
}

func (w *world) set(change func(*status.Snapshot)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(&w.status)
}

// newWorld is a cluster with two domains that are ready, and one whose owner
// has not added the record.
func newWorld(z *zone.Zone) *world {
	s := status.Snapshot{
		Version: "v0.1.0", Zone: z.Origin(), Group: z.Origin(), Namespace: scope,
		Records: []zone.Record{
			{Name: z.Origin(), Type: "NS", Value: "ns-acme.example.com", Why: "It hands the zone over to Signpost's DNS server."},
			{Name: "ns-acme.example.com", Type: "A", Value: "192.0.2.53", Why: "It says where Signpost's DNS server is."},
		},
		Server: []check.Finding{
			{Check: "delegation", Subject: z.Origin(), Status: check.OK, Seen: "ns-acme.example.com"},
			{Check: "server-udp", Subject: "192.0.2.53:53", Status: check.OK},
			{Check: "server-tcp", Subject: "192.0.2.53:53", Status: check.OK},
		},
		Replicas: []status.Replica{{Address: "10.42.0.17:1053", Self: true}, {Address: "10.42.1.9:1053"}},
		Store:    status.StoreState{Kind: "redis", OK: true, Names: 1, Synced: true},
	}
	waiting := domain(z, "example.org")
	waiting.Checks = []check.Finding{missing(waiting)}
	waiting.Certificates[0].Ready, waiting.Certificates[0].NotAfter, waiting.Certificates[0].RenewalTime = false, nil, nil
	waiting.Certificates[0].Reason = "Issuing certificate as Secret does not exist"
	waiting.Challenges = []status.Challenge{{
		Namespace: "shop", Name: "example-org-1-2774838153-1", DNSName: "*.example.org", Since: time.Now().Add(-3 * time.Minute),
		State: "pending", Reason: "_acme-challenge.example.org has no CNAME record",
	}}
	s.Domains = []status.Domain{domain(z, "example.com"), waiting, domain(z, "xn--bcher-kva.example")}
	return &world{status: s}
}

// domain is one for which all is well.
func domain(z *zone.Zone, name string) status.Domain {
	target, err := z.Target(scope, name)
	if err != nil {
		panic(err)
	}
	expiry, renewal := time.Now().Add(89*24*time.Hour), time.Now().Add(59*24*time.Hour)
	d := status.Domain{
		Name: name, Scope: scope,
		Record: target.Record(),
		Certificates: []status.Certificate{{
			Namespace: "shop", Name: name, Secret: name + "-tls", DNSNames: []string{"*." + name, name}, Issuer: "ClusterIssuer/letsencrypt",
			Ready: true, NotAfter: &expiry, RenewalTime: &renewal,
		}},
	}
	if u := zone.Unicode(name); u != name {
		d.Unicode = u
	}
	d.Checks = []check.Finding{{Check: "cname", Subject: d.Record.Name, Status: check.OK, Seen: target.Name}}
	return d
}

func missing(d status.Domain) check.Finding {
	return check.Finding{
		Check: "cname-missing", Subject: d.Record.Name, Status: check.Failed,
		Wanted: "CNAME " + d.Record.Value, Seen: "nothing",
		Hint: "Add the record " + d.Record.Name + " CNAME " + d.Record.Value + ".",
	}
}
