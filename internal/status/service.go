package status

import (
	"context"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/zone"
)

// serviceInterval is how often the DNS Service is read: its address comes once,
// and then stays.
const serviceInterval = 15 * time.Second

// service knows the outside address of the Service in front of the DNS server.
type service struct {
	cluster         Cluster
	namespace, name string
	log             *slog.Logger

	next      time.Time
	addresses []netip.Addr
	hosts     []string
	warned    bool // since it could be read last
}

// newService returns nil if no Service was named.
func newService(k Cluster, namespacedName string, log *slog.Logger) *service {
	namespace, name, ok := strings.Cut(namespacedName, "/")
	if !ok {
		return nil
	}
	return &service{cluster: k, namespace: namespace, name: name, log: log}
}

// look reads the Service again, if that is due.
func (s *service) look(ctx context.Context) {
	if s == nil || time.Now().Before(s.next) {
		return
	}
	s.next = time.Now().Add(serviceInterval)
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	addresses, hosts, err := s.cluster.ServiceAddresses(ctx, s.namespace, s.name)
	if err != nil {
		if !s.warned {
			s.warned = true
			s.log.Warn("the address of the DNS Service is not known; the status page goes without it", "err", err)
		}
		return
	}
	s.addresses, s.hosts, s.warned = addresses, hosts, false
}

// records returns the address records of the nameservers whose addresses were
// not given: they are the Service's.
func (s *service) records(nameservers []zone.Nameserver) (out []zone.Record) {
	if s == nil {
		return nil
	}
	for _, ns := range nameservers {
		if len(ns.Addresses) > 0 {
			continue
		}
		ns.Addresses = s.addresses
		out = append(out, ns.Records("the address of the DNS Service "+s.namespace+"/"+s.name)...)
	}
	return out
}

// findings says what is wrong with the Service's address, if anything is.
func (s *service) findings() []check.Finding {
	if s == nil || len(s.addresses) > 0 || s.next.IsZero() {
		return nil
	}
	r := check.Finding{
		Check: "service-address", Subject: s.namespace + "/" + s.name, Status: check.Unknown,
		Wanted: "an address that the Internet can reach", Seen: "none yet",
		Hint: "wait until the cluster has given the Service an address; if none comes, it has nobody that gives out load balancers: see the installation guide for the other ways",
	}
	if len(s.hosts) > 0 {
		r.Status, r.Seen = check.Failed, strings.Join(s.hosts, ", ")
		r.Hint = "the load balancer has only a host name, and a nameserver must not be a CNAME (RFC 2181 section 10.3): give it fixed addresses, and add those as A records of the nameserver"
	}
	return []check.Finding{r}
}
